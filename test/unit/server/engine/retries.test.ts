import assert from "node:assert/strict";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, failForGood, failRetryably, type ScriptedHost } from "../../../support/pool/scripted-host.ts";

const leavesStopped = { kind: "fail", isRetryable: false, leaves: "stopped" } as const;

describe("retries elsewhere", () => {
  let pool: PoolDriver;
  let first: ScriptedHost;
  let second: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    first = await pool.addHost("mac-1");
    second = await pool.addHost("mac-2");
  });
  afterEach(() => pool.close());

  it("place a VM that could not be made on another host, as its next attempt", async () => {
    first.always("create", failForGood);
    await pool.create("a", { retryAttempts: 1 });
    await pool.advance(2000);
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.equal(pool.vm("a").host, "mac-2");
    assert.equal(pool.vm("a").attempt, 2);
    assert.equal(pool.vm("a").failure, undefined);
    assert.deepEqual(first.receivedKinds, ["create"]);
  });

  it("come after the tries of the step itself", async () => {
    first.always("create", failRetryably);
    await pool.create("a", { retryAttempts: 1 });
    await pool.advance(30_000);
    assert.equal(first.received.length, 4);
    assert.equal(pool.vm("a").host, "mac-2");
  });

  it("leave nothing behind: what stands on the first host is removed, and counted until then", async () => {
    first.always("start", { kind: "fail", isRetryable: false, leaves: "running" });
    first.always("delete", { kind: "hold" });
    await pool.create("a", { retryAttempts: 1 });
    const left = pool.vm("a");
    assert.equal(left.state, "PENDING");
    assert.equal(pool.view().ledger(first.id).cpuTaken, 2);
    await pool.advance(2000);
    assert.equal(pool.vm("a").host, "mac-2");
    assert.equal(pool.vm("a").state, "RUNNING");
    const [orphan] = pool.view().hosts.get(first.id)?.orphans ?? [];
    await first.report({ id: orphan?.commandId ?? assert.fail() }, "SUCCEEDED");
    assert.equal(pool.view().ledger(first.id).cpuTaken, 0);
    assert.equal(pool.view().ledger(second.id).cpuTaken, 2);
  });

  it("end when they are used up", async () => {
    for (const host of [first, second]) host.always("create", leavesStopped);
    await pool.create("a", { retryAttempts: 2 });
    await pool.advance(60_000);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").attempt, 3);
    assert.equal(pool.vm("a").failure?.reason, "Scripted");
    assert.equal(first.receivedKinds.filter((kind) => kind === "create").length, 2);
    assert.equal(second.receivedKinds.filter((kind) => kind === "create").length, 1);
  });

  it("are not made unless they are asked for, nor of a guest that has run", async () => {
    first.next("create", failForGood);
    await pool.create("none");
    assert.equal(pool.vm("none").state, "FAILED");
    await pool.create("ran", { retryAttempts: 3 });
    assert.equal(pool.vm("ran").host, "mac-2");
    second.always("start", failForGood);
    await second.changeByHand(pool.hostName("ran"), "stopped");
    await pool.advance(5000);
    assert.equal(pool.vm("ran").state, "FAILED");
    assert.equal(pool.vm("ran").host, "mac-2", "its disk is kept for a look");
  });

  it("come after a host that says nothing any more, too", async () => {
    first.always("create", accept);
    await pool.create("a", { retryAttempts: 1 });
    await pool.advance(13 * 60_000);
    assert.equal(pool.vm("a").host, "mac-2");
    assert.equal(pool.vm("a").state, "RUNNING");
  });
});
