/**
 * The README's first five minutes, as they are written there: from nothing to an enrolled Mac with a VM on it, with TLS and
 * tokens throughout. Only what a test cannot have is other than there: ports that are free, and the simulated Mac's address.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { type RunningMac, startSimulatedMac } from "../../simulator/simulated-mac.ts";
import type { MeridianProcess } from "../support/e2e/meridian-process.ts";
import { MeridianShell } from "../support/e2e/meridian-shell.ts";
import { commandsOf } from "../support/e2e/readme.ts";
import { until } from "../support/e2e/until.ts";

describe("the first five minutes", function () {
  this.timeout(60_000);
  let home: string;
  let mac: RunningMac;
  let shell: MeridianShell;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "meridian-five-minutes-"));
    const golden = { name: "macOS 15 golden", os: "macosx", cpuCount: 4, memoryMib: 8_192, diskMib: 65_536 } as const;
    mac = await startSimulatedMac({ instant: true, vms: [golden] });
    shell = new MeridianShell({
      HOME: home,
      XDG_STATE_HOME: "",
      XDG_CONFIG_HOME: "",
      MERIDIAN_HTTP_LISTEN: "127.0.0.1:0",
      MERIDIAN_PARALLELS_URL: mac.url,
    });
  });
  after(async () => {
    await shell.close();
    await mac.close();
    await rm(home, { recursive: true, force: true });
  });

  it("take six commands, and none of them speaks plain text", async () => {
    const [install, server, token, agent, template, vm, ...more] = commandsOf("The first five minutes", "That was it");
    assert.deepEqual([install, more], ["npm ci", []]);

    const serving = shell.start(server?.replaceAll(/:707[01]\b/g, ":0"));
    await until("the server serves", () => hasSaid(serving, '"serving"'));
    const joinToken = (await shell.run(token)).trim();
    assert.match(joinToken, /^mjt1\./);

    const dialling = shell.start(agent, { KEY: mac.apiKey, TOKEN: joinToken });
    await until("the Mac is in the pool", () => hasSaid(dialling, '"connected to server"'));
    assert.equal((await shell.run(template)).trim(), "templates/golden");
    assert.match(await shell.run(vm), /^vms\/build-1\b.*RUNNING/);

    const [made] = mac.mac.vms.filter(({ name }) => name.startsWith("meridian-"));
    assert.equal(made?.state, "running");
    // What the README says next.
    assert.match(await shell.run("npx meridian vm exec build-1 -- sw_vers -productVersion"), /\d/);
    await shell.run("npx meridian vm delete build-1");
    await until("no trace", () => !mac.mac.vms.some(({ name }) => name.startsWith("meridian-")));
    const hosts = JSON.parse(await shell.run("npx meridian host list --json")) as { readonly hosts: readonly Host[] };
    assert.match(hosts.hosts[0]?.status?.certificate?.fingerprint ?? "", /^sha256:/);

    // Whoever says where to go gets neither the CA nor the token of the server here.
    for (const flags of [`--insecure --server ${grpcAddress(serving)}`, `--server ${grpcAddress(serving)}`]) {
      const plain = await shell.end(`npx meridian host list ${flags}`);
      assert.equal(plain.exitCode, 5, plain.stderr);
      assert.match(plain.stderr, /TLS/);
    }
  });
});

function hasSaid(process: MeridianProcess, text: string): boolean {
  if (!process.isRunning) throw new Error(`it has ended: ${process.stderr}`);
  return process.stderr.includes(text);
}

function grpcAddress({ stderr }: MeridianProcess): string {
  const port = /"grpc":"0\.0\.0\.0:(?<port>\d+)"/.exec(stderr)?.groups?.["port"];
  assert.ok(port);
  return `127.0.0.1:${port}`;
}

interface Host {
  readonly status?: { readonly certificate?: { readonly fingerprint?: string } };
}
