import assert from "node:assert/strict";
import { expiryOf, hostLeaseMs } from "../../../../server/pool/lease.ts";
import { leaseMarginMs } from "../../../../server/pool/limits.ts";
import { asVmId } from "../../../../shared/ids.ts";
import { changedInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failForGood, hold, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { vmWant } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
const lease = { leaseDurationMs: minuteMs };

describe("leases", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  const renew = (name: string, leaseDurationMs?: number) =>
    pool.submit({
      type: "vm-renew",
      id: asVmId(name),
      ...(leaseDurationMs === undefined ? {} : { leaseDurationMs }),
    });
  const endOf = (name: string) => pool.vm(name).timeline.at(-1);

  it("end a VM that nobody renews, and say so", async () => {
    await pool.create("a", lease);
    await pool.advance(minuteMs - 100);
    assert.equal(pool.vm("a").state, "RUNNING");
    await pool.advance(200);
    assert.equal(pool.vm("a").state, "DELETED");
    assert.equal(endOf("a")?.reason, "LeaseExpired");
    assert.equal(pool.vm("a").message, "its lease ran out and was not renewed");
    assert.equal(pool.vm("a").failure, undefined);
    assert.equal(host.vms.has(pool.hostName("a")), false);
    assert.equal(pool.view().ledger(host.id).cpuTaken, 0);
  });

  it("begin anew when they are renewed, as long as before or as long as is said", async () => {
    await pool.create("a", lease);
    await pool.advance(50_000);
    const before = pool.vm("a");
    await renew("a");
    assert.equal(pool.vm("a").generation, before.generation, "nothing else is wanted");
    await pool.advance(50_000);
    await renew("a", 5 * minuteMs);
    assert.equal(pool.vm("a").spec.leaseDurationMs, 5 * minuteMs);
    await pool.advance(5 * minuteMs - 1000);
    assert.equal(pool.vm("a").state, "RUNNING");
    await pool.advance(2000);
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("begin when a VM is placed, not while it waits", async () => {
    await host.disconnect();
    await pool.create("a", lease);
    await pool.advance(10 * minuteMs);
    assert.equal(pool.vm("a").state, "PENDING");
    assert.equal(expiryOf(pool.vm("a")), undefined);
    await renew("a");
    await pool.connect(host);
    assert.equal(pool.vm("a").state, "RUNNING");
    await pool.advance(minuteMs - 1000);
    assert.equal(pool.vm("a").state, "RUNNING");
  });

  it("do not outlast a lifetime, which counts from creation and ends VMs that wait as well", async () => {
    await host.disconnect();
    await pool.create("waits", { maxLifetimeMs: minuteMs });
    await pool.connect(host);
    await pool.create("renewed", { ...lease, maxLifetimeMs: 90_000 });
    await host.disconnect();
    await pool.create("late", { maxLifetimeMs: minuteMs });
    await pool.connect(host);
    await pool.advance(50_000);
    await renew("renewed");
    await pool.advance(15_000);
    for (const name of ["waits", "late"]) assert.equal(endOf(name)?.reason, "LifetimeOver", name);
    assert.equal(pool.vm("renewed").state, "RUNNING");
    await pool.advance(30_000);
    assert.equal(endOf("renewed")?.reason, "LifetimeOver");
  });

  it("cannot be renewed without one, nor once it failed or is being deleted", async () => {
    await pool.create("none");
    await pool.create("leaving", lease);
    host.next("create", failForGood);
    await pool.create("failed", lease);
    host.always("delete", hold);
    await pool.submit(vmWant("leaving", "deleted"));
    for (const name of ["none", "leaving", "failed"]) {
      await pool.refuses({ type: "vm-renew", id: asVmId(name) }, "STATE_NOT_ALLOWED");
    }
    await pool.refuses({ type: "vm-renew", id: asVmId("unheard-of") }, "RESOURCE_NOT_FOUND");
  });

  it("that a host ended by itself leave a deleted VM, not a vanished one", async () => {
    await pool.create("a", lease);
    const { sight } = pool.vm("a");
    // The host tells before the server has looked at the time.
    pool.clock.advance(minuteMs + 1);
    await host.tellInventory(changedInventory([], [sight?.id ?? assert.fail()]));
    await pool.settle();
    assert.equal(pool.vm("a").state, "DELETED");
    assert.equal(endOf("a")?.reason, "LeaseExpired");
  });

  it("that ran out while the host was away end when it is back, however it finds the VM", async () => {
    for (const name of ["kept", "ended"]) await pool.create(name, lease);
    await host.disconnect();
    await pool.advance(5 * minuteMs);
    for (const name of ["kept", "ended"]) assert.equal(pool.vm(name).state, "DELETING", name);
    host.vms.delete(pool.hostName("ended"));
    await pool.connect(host);
    for (const name of ["kept", "ended"]) {
      assert.equal(pool.vm(name).state, "DELETED", name);
      assert.equal(endOf(name)?.reason, "LeaseExpired", name);
    }
    assert.equal(pool.vm("kept").failure, undefined);
  });

  it("that ran out end a command that failed for that, instead of the VM failing", async () => {
    host.always("start", hold);
    const { command } = await pool.create("a", lease).then(() => pool.vm("a"));
    pool.clock.advance(minuteMs + 1);
    await host.report(command ?? assert.fail(), "FAILED", {
      failure: { reason: "Gone", message: "it is gone", suspect: "host", isRetryable: false },
    });
    await pool.settle();
    assert.equal(endOf("a")?.reason, "LeaseExpired");
  });

  it("outlast a restart of the server", async () => {
    await pool.create("a", lease);
    pool = await pool.restart();
    await pool.advance(minuteMs + 1000);
    assert.equal(pool.vm("a").spec.wanted, "deleted");
    assert.equal(pool.vm("a").endReason, "LeaseExpired");
  });

  it("are told to hosts a little longer than they are, and never as nothing", async () => {
    await pool.create("a", lease);
    await pool.create("b");
    const nowMs = pool.engine.nowMs();
    assert.equal(hostLeaseMs(pool.vm("a"), nowMs), minuteMs + leaseMarginMs);
    assert.equal(hostLeaseMs(pool.vm("a"), nowMs + 10 * minuteMs), 1);
    assert.equal(hostLeaseMs(pool.vm("b"), nowMs), 0);
  });
});
