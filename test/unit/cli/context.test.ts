import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runAgainst, runAlone } from "../../support/cli/meridian.ts";
import { sampleVm } from "../../support/cli/samples.ts";
import { startScriptedServer } from "../../support/cli/scripted-server.ts";

describe("meridian context", () => {
  let home = "";
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "meridian-context-"));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  const meridian = (...args: readonly string[]) => runAlone(args, { environment: { XDG_CONFIG_HOME: home } });
  const file = () => join(home, "meridian", "contexts.json");

  it("keeps contexts in a file that only its owner can read", async () => {
    await meridian("context", "set", "office", "--server", "127.0.0.1:7070", "--token", "secret");
    assert.equal(statSync(file()).mode & 0o777, 0o600);
    await meridian("context", "set", "office", "--server", "127.0.0.1:7171");
    assert.equal(statSync(file()).mode & 0o777, 0o600);
    const { out } = await meridian("context", "list");
    assert.match(out, /\* +office +127\.0\.0\.1:7171 +none +stored/);
    assert.ok(!out.includes("secret"));
  });

  it("verbs use the current context's server and token", async () => {
    const server = await startScriptedServer({ vms: { getVm: () => ({ vm: sampleVm("a") }) } });
    try {
      await meridian("context", "set", "wrong", "--server", "127.0.0.1:1");
      await meridian("context", "set", "right", "--server", server.address, "--token", "secret");
      assert.equal((await meridian("vm", "get", "a")).exitCode, 5);
      await meridian("context", "use", "right");
      assert.equal((await meridian("vm", "get", "a")).exitCode, 0);
      assert.equal(server.calls[0]?.authorization, "Bearer secret");
      assert.equal((await meridian("vm", "get", "a", "--context", "wrong")).exitCode, 5);
    } finally {
      await server.close();
    }
  });

  it("another server gets no token of the context", async () => {
    await meridian("context", "set", "office", "--server", "127.0.0.1:1", "--token", "secret");
    const script = { vms: { getVm: () => ({ vm: sampleVm("a") }) } };
    const { calls } = await runAgainst(script, ["vm", "get", "a"], { environment: { XDG_CONFIG_HOME: home } });
    assert.equal(calls[0]?.authorization, null);
  });

  it("deleting the current context leaves none current", async () => {
    await meridian("context", "set", "office", "--server", "127.0.0.1:1");
    assert.equal((await meridian("context", "delete", "office")).exitCode, 0);
    assert.deepEqual(JSON.parse((await meridian("context", "list", "--json")).out), { contexts: [] });
    assert.equal((await meridian("context", "use", "office")).exitCode, 3);
  });

  it("names of everybody's objects are no contexts", async () => {
    await meridian("context", "set", "office", "--server", "127.0.0.1:1");
    assert.equal((await meridian("vm", "get", "a", "--context", "constructor")).exitCode, 2);
  });

  it("a damaged file is named, and not overwritten", async () => {
    await meridian("context", "set", "office", "--server", "127.0.0.1:1");
    writeFileSync(file(), "{ half");
    const { exitCode, err } = await meridian("context", "set", "home", "--server", "127.0.0.1:2");
    assert.equal(exitCode, 1);
    assert.ok(err.includes(file()));
  });
});
