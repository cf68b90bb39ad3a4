import assert from "node:assert/strict";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import {
  accept,
  failForGood,
  failRetryably,
  hold,
  refuse,
  type ScriptedHost,
} from "../../../support/pool/scripted-host.ts";
import { vmCreate, vmWant } from "../../../support/pool/specs.ts";

describe("the life of a VM", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  it("goes from a request to running, and holds its capacity from placement on", async () => {
    host.next("create", hold);
    const placed = await pool.create("a");
    assert.equal(placed.state, "PLACED");
    assert.equal(pool.view().ledger(host.id).cpuTaken, 2);
    await host.finish(placed, host.received[0] ?? assert.fail("no command"));
    await pool.settle();
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.deepEqual(pool.states("a"), ["PENDING", "PLACED", "STOPPED", "STARTING", "RUNNING"]);
    assert.deepEqual(host.receivedKinds, ["create", "start"]);
    assert.deepEqual(pool.vm("a").sight?.ipAddresses, ["10.0.0.2"]);
    assert.equal(pool.vm("a").command, undefined);
  });

  it("is CREATING once the host has taken the create on", async () => {
    host.next("create", accept);
    assert.equal((await pool.create("a")).state, "CREATING");
    assert.equal(pool.vm("a").command?.state, "ACCEPTED");
  });

  it("ends stopped if it is wanted stopped", async () => {
    assert.equal((await pool.create("a", { wanted: "stopped" })).state, "STOPPED");
    assert.deepEqual(host.receivedKinds, ["create"]);
  });

  it("frees its capacity when the host says that it is gone, and not before", async () => {
    await pool.create("a");
    host.next("delete", hold);
    await pool.submit(vmWant("a", "deleted"));
    assert.equal(pool.vm("a").state, "DELETING");
    assert.equal(pool.view().ledger(host.id).cpuTaken, 2);
    await host.finish(pool.vm("a"), pool.vm("a").command ?? assert.fail("no command"));
    assert.equal(pool.vm("a").state, "DELETED");
    assert.equal(pool.view().ledger(host.id).cpuTaken, 0);
    assert.equal(pool.view().vmsOn(host.id).size, 0);
  });

  it("is forgotten some minutes after it was deleted, and not before", async () => {
    await pool.create("a");
    await pool.submit(vmWant("a", "deleted"));
    await pool.advance(9 * 60_000);
    assert.equal(pool.vm("a").state, "DELETED");
    await pool.advance(2 * 60_000);
    assert.equal(pool.view().vms.size, 0);
    assert.equal(pool.view().deleted.size, 0);
  });

  it("that a host refuses is placed elsewhere", async () => {
    await pool.addHost("mac-2");
    host.always("create", refuse);
    await pool.create("a");
    await pool.advance(2000);
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.equal(pool.vm("a").host, "mac-2");
  });

  it("that every host refuses fails in the end", async () => {
    host.always("create", refuse);
    await pool.create("a");
    await pool.advance(10 * 60_000);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").host, undefined);
    assert.equal(pool.vm("a").failure?.reason, "Scripted");
    assert.ok(host.received.length <= 11, `asked ${host.received.length} times`);
  });

  it("whose create fails retryably is tried again on its host, with growing pauses, and fails at last", async () => {
    host.always("create", failRetryably);
    await pool.create("a");
    assert.equal(pool.vm("a").state, "CREATING");
    await pool.advance(20_000);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(host.received.length, 4);
    assert.equal(pool.vm("a").host, undefined, "it left nothing there");
  });

  it("whose create left something, and is refused from then on, keeps its host until that is removed", async () => {
    host.next("create", { kind: "fail", isRetryable: true, leaves: "stopped" });
    host.always("create", refuse);
    await pool.create("a");
    await pool.advance(20_000);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").host, host.id, "the Mac still has what the first try left");
  });

  it("whose create may have left something that its host cannot see keeps the host until that is removed", async () => {
    host.next("create", { kind: "fail", isRetryable: false, isVmUnknown: true });
    await pool.create("a");
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").host, host.id);
    await pool.submit(vmWant("a", "deleted"));
    assert.equal(pool.vm("a").state, "DELETED");
    assert.deepEqual(host.receivedKinds, ["create", "delete"]);
  });

  it("keeps its host when a create is refused after one that may have left something there", async () => {
    host.next("create", { kind: "fail", isRetryable: true, isVmUnknown: true });
    host.always("create", refuse);
    await pool.create("a");
    await pool.advance(20_000);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").host, host.id);
  });

  it("gives its host free when a later try can look, and has left nothing", async () => {
    host.next("create", { kind: "fail", isRetryable: true, isVmUnknown: true });
    host.always("create", failForGood);
    await pool.create("a");
    await pool.advance(20_000);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").host, undefined);
  });

  it("whose create fails with leftovers keeps its host until they are removed", async () => {
    host.always("create", { ...failForGood, kind: "fail", isRetryable: false, leaves: "stopped" });
    await pool.create("a");
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").host, host.id);
    assert.equal(pool.view().ledger(host.id).cpuTaken, 2);
    await pool.submit(vmWant("a", "deleted"));
    assert.equal(pool.vm("a").state, "DELETED");
    assert.deepEqual(host.receivedKinds, ["create", "delete"]);
  });

  it("that failed is removed by itself when it was kept for long enough", async () => {
    host.always("create", { ...failForGood, kind: "fail", isRetryable: false, leaves: "stopped" });
    await pool.submit(vmCreate("a"));
    await pool.advance(16 * 60_000);
    assert.equal(pool.vm("a").state, "DELETED");
    await pool.advance(11 * 60_000);
    assert.equal(pool.view().vms.size, 0);
  });
});
