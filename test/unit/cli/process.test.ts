import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { WatchEventType } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { sampleVm } from "../../support/cli/samples.ts";
import { type Script, type ScriptedServer, startScriptedServer } from "../../support/cli/scripted-server.ts";

const program = new URL("../../../bin/meridian.js", import.meta.url).pathname;

interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

describe("the program as a process", function () {
  this.timeout(20_000);
  let home = "";
  let server: ScriptedServer | undefined;
  let running: Running[] = [];

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "meridian-process-"));
  });
  afterEach(async () => {
    for (const { child } of running) child.kill("SIGKILL");
    running = [];
    await server?.close();
    server = undefined;
    rmSync(home, { recursive: true });
  });

  async function meridian(script: Script | undefined, args: readonly string[]): Promise<Running> {
    if (script !== undefined) server = await startScriptedServer(script);
    const env = {
      PATH: process.env["PATH"],
      XDG_CONFIG_HOME: home,
      ...(server && { MERIDIAN_SERVER: server.address }),
    };
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    const exit = once(child, "exit").then(([code, signal]) => ({ code, signal }));
    const started = { child, out: () => out, err: () => err, exit };
    running.push(started);
    return started;
  }

  async function until(condition: () => boolean, what: string): Promise<void> {
    const endMs = Date.now() + 10_000;
    while (!condition()) {
      assert.ok(Date.now() < endMs, `${what} did not come`);
      await setTimeout(20);
    }
  }

  it("says its version", async () => {
    const { exit, out } = await meridian(undefined, ["--version"]);
    assert.equal((await exit).code, 0);
    assert.match(out(), /^\d+\.\d+\.\d+/);
  });

  it("a reader that goes away ends it with 0 and without a word", async () => {
    const script: Script = {
      vms: {
        async *watchVms(_request, { signal }) {
          for (let revision = 1n; !signal.aborted; revision += 1n) {
            yield { type: WatchEventType.UPDATED, vm: sampleVm("a"), revision };
            await setTimeout(5);
          }
        },
      },
    };
    const watch = await meridian(script, ["vm", "watch"]);
    await until(() => watch.out() !== "", "an event");
    watch.child.stdout?.destroy();
    assert.equal((await watch.exit).code, 0);
    assert.equal(watch.err(), "");
  });

  it("Ctrl-C during a wait leaves the VM, and says how to go on", async () => {
    const deleted: string[] = [];
    const script: Script = {
      vms: {
        createVm: () => ({ vm: sampleVm("a", { state: VmStatus_State.PENDING }) }),
        waitVm: (_request, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", reject)),
        deleteVm: ({ name }) => {
          deleted.push(name);
          return {};
        },
      },
    };
    const create = await meridian(script, ["vm", "create", "--template", "t", "--wait"]);
    await until(() => server?.calls.some(({ name }) => name === "WaitVm") === true, "the wait");
    assert.match(create.err(), /^vms\/a\n/, "the name is there before the VM is");
    create.child.kill("SIGINT");
    assert.equal((await create.exit).code, 130);
    assert.match(create.err(), /`meridian vm wait a` waits on, `meridian vm delete a` removes it\.\n$/);
    assert.deepEqual(deleted, []);
  });

  it("a wait outlives the server's restart", async () => {
    const script: Script = {
      vms: {
        getVm: () => ({ vm: sampleVm("a", { state: VmStatus_State.CREATING }) }),
        waitVm: (_request, { signal }) => new Promise((_resolve, reject) => signal.addEventListener("abort", reject)),
      },
    };
    const wait = await meridian(script, ["vm", "wait", "a"]);
    await until(() => server?.calls.some(({ name }) => name === "WaitVm") === true, "the wait");
    const port = Number(server?.address.split(":")[1]);
    await server?.close();
    server = await startScriptedServer({ vms: { waitVm: () => ({ vm: sampleVm("a") }) } }, port);
    assert.equal((await wait.exit).code, 0);
    assert.match(wait.out(), /^vms\/a RUNNING/);
  });

  it("a server started from a config file writes its addresses, serves, and ends in order at SIGTERM", async () => {
    const config = join(home, "server.json");
    const dataDir = join(home, "data");
    const free = "127.0.0.1:0";
    const settings = { "data-dir": dataDir, listen: free, "agent-listen": free, "http-listen": free, insecure: true };
    writeFileSync(config, JSON.stringify(settings));
    const serving = await meridian(undefined, ["server", "--config", config]);
    await until(() => existsSync(join(dataDir, "addresses.json")), "addresses.json");
    const { grpc } = JSON.parse(readFileSync(join(dataDir, "addresses.json"), "utf8"));
    const status = await meridian(undefined, ["pool", "status", "--server", grpc, "--json"]);
    assert.equal((await status.exit).code, 0, status.err());
    assert.equal(typeof JSON.parse(status.out()).version, "string");
    serving.child.kill("SIGTERM");
    assert.deepEqual(await serving.exit, { code: 0, signal: null });
  });

  it("a config file with a setting that does not exist is refused", async () => {
    const config = join(home, "server.json");
    writeFileSync(config, JSON.stringify({ "data-dirr": "x" }));
    const { exit, err } = await meridian(undefined, ["server", "--insecure", "--config", config]);
    assert.equal((await exit).code, 2);
    assert.match(err(), /there is no setting "data-dirr"/);
  });
});
