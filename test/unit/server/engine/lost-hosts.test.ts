import assert from "node:assert/strict";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { vmWant } from "../../../support/pool/specs.ts";

const lostMs = 16 * 60_000;

describe("a host that is lost", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  const lose = async (): Promise<void> => {
    await host.disconnect();
    await pool.advance(lostMs);
    assert.equal(pool.view().hosts.get(host.id)?.state, "LOST");
  };
  const orphans = () => pool.view().hosts.get(host.id)?.orphans ?? [];

  it("keeps the VMs that are to be kept, and gives them back", async () => {
    await pool.create("a");
    await pool.addHost("mac-2");
    await lose();
    assert.equal(pool.vm("a").state, "UNKNOWN");
    assert.equal(pool.vm("a").host, "mac-1");
    await pool.connect(host);
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.deepEqual(host.removals, []);
  });

  it("fails the VMs that are to fail, whose remains it removes when it returns", async () => {
    await pool.create("a", { onHostLost: "fail" });
    const { sight } = pool.vm("a");
    await lose();
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").failure?.reason, "HostLost");
    assert.equal(pool.vm("a").failure?.suspect, "host");
    assert.equal(pool.vm("a").failure?.host, "mac-1");
    assert.equal(pool.vm("a").host, undefined);
    assert.equal(pool.view().ledger(host.id).cpuTaken, 2, "what is left there holds its capacity");
    await pool.connect(host);
    assert.deepEqual(host.removals, [sight?.id]);
    assert.equal(pool.view().ledger(host.id).cpuTaken, 0);
    assert.deepEqual(orphans(), []);
    assert.equal(host.vms.size, 1, "the golden VM is left");
  });

  it("has the VMs that are to be replaced made anew elsewhere, and never two of them", async () => {
    await pool.create("a", { onHostLost: "replace" });
    const before = pool.vm("a");
    const other = await pool.addHost("mac-2");
    await lose();
    await pool.advance(2000);
    const after = pool.vm("a");
    assert.equal(after.state, "RUNNING");
    assert.equal(after.host, "mac-2");
    assert.equal(after.attempt, 2);
    assert.equal(after.uid, before.uid);
    assert.ok(after.timeline.some(({ state, reason }) => state === "PENDING" && reason === "HostLost"));
    await pool.connect(host);
    assert.deepEqual(host.removals, [before.sight?.id]);
    assert.deepEqual(other.removals, []);
    assert.equal(pool.vm("a").host, "mac-2");
    assert.equal(pool.view().ledger(host.id).cpuTaken, 0);
    assert.equal(pool.view().ledger(other.id).cpuTaken, 2);
  });

  it("removes what it finished making after it was lost", async () => {
    host.next("create", accept);
    await pool.create("a", { onHostLost: "replace" });
    const { command } = pool.vm("a");
    const half = pool.vm("a");
    await pool.addHost("mac-2");
    await lose();
    await pool.advance(2000);
    assert.equal(pool.vm("a").host, "mac-2");
    await pool.connect(host);
    assert.deepEqual(host.removals, [], "nothing is there yet");
    await host.finish(half, command ?? assert.fail());
    assert.equal(pool.vm("a").host, "mac-2", "the end of an older attempt changes nothing");
    await host.disconnect();
    await pool.connect(host);
    assert.equal(host.removals.length, 1);
    assert.equal(host.vms.size, 1);
  });

  it("does to a VM what its spec says by then, also if that was changed after the loss", async () => {
    await pool.create("a");
    await lose();
    const { spec, generation, id } = pool.vm("a");
    await pool.submit({ type: "vm-update", id, baseGeneration: generation, spec: { ...spec, onHostLost: "fail" } });
    assert.equal(pool.vm("a").failure?.reason, "HostLost");
  });

  it("leaves alone what is being deleted, and finishes that when it is back", async () => {
    await pool.create("a", { onHostLost: "replace" });
    await pool.addHost("mac-2");
    await host.disconnect();
    await pool.submit(vmWant("a", "deleted"));
    await pool.advance(lostMs);
    assert.equal(pool.vm("a").state, "DELETING");
    assert.equal(pool.vm("a").host, "mac-1");
    await pool.connect(host);
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("fails a copy that was to be replaced, which can be made nowhere else", async () => {
    await pool.create("original", { wanted: "stopped" });
    const { id } = pool.vm("original");
    await pool.create("copy", { sourceVm: id, onHostLost: "replace" });
    assert.equal(pool.vm("copy").state, "RUNNING");
    await lose();
    assert.equal(pool.vm("copy").state, "FAILED");
  });

  it("is not waited for after a restart of the server: what it has to remove is kept", async () => {
    await pool.create("a", { onHostLost: "fail" });
    await lose();
    const before = orphans();
    assert.equal(before.length, 1);
    pool = await pool.restart();
    assert.deepEqual(pool.view().hosts.get(host.id)?.orphans, before);
  });
});
