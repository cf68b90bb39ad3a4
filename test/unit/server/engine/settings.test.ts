import assert from "node:assert/strict";
import type { SettingsSpec } from "../../../../server/pool/settings/settings.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failForGood } from "../../../support/pool/scripted-host.ts";
import { settingsUpdate, vmCreate } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

const set = (spec: SettingsSpec): Promise<unknown> => pool.set(spec);

describe("settings", () => {
  it("are kept over a restart, as they were set", async () => {
    await set({ hosts: { lostAfterMs: 20_000 } });
    pool = await pool.restart();
    assert.equal(pool.view().settings.hosts.lostAfterMs, 20_000);
    assert.deepEqual(pool.view().settingsRecord?.spec, { hosts: { lostAfterMs: 20_000 } });
    assert.equal(pool.view().settingsRecord?.generation, 1);
  });

  it("are changed only by who has seen the last change", async () => {
    await set({ hosts: { lostAfterMs: 20_000 } });
    await pool.refuses(settingsUpdate({}, 0), "ETAG_MISMATCH");
    await pool.refuses({ ...settingsUpdate({}, 1), etag: '"other"' }, "ETAG_MISMATCH");
    assert.equal(pool.view().settings.hosts.lostAfterMs, 20_000);
  });
});

describe("a change of settings", () => {
  it("of the strategy places the next VM by it, also one of a kind that was placed before", async () => {
    await pool.addHost("mac-1");
    await pool.addHost("mac-2");
    await pool.create("first");
    await pool.create("second");
    assert.deepEqual([pool.vm("first").host, pool.vm("second").host], ["mac-1", "mac-1"]);
    await set({ placement: { strategy: "spread" } });
    await pool.create("third");
    assert.equal(pool.vm("third").host, "mac-2");
    await pool.create("packed", { placement: { strategy: "pack" } });
    assert.equal(pool.vm("packed").host, "mac-1", "its own wish goes before the settings");
  });

  it("of a weight lets it count at once", async () => {
    const label = { key: "disk", operator: "in", values: ["fast"] } as const;
    await pool.addHost("mac-1");
    await pool.addHost("mac-2", { agentLabels: { disk: "fast" } });
    await pool.create("a", { placement: { preferred: [label] } });
    assert.equal(pool.vm("a").host, "mac-2");
    await set({ placement: { weights: { preferredLabels: 0, strategy: 0 } } });
    await pool.create("b", { placement: { preferred: [label] } });
    assert.equal(pool.vm("b").host, "mac-1", "nothing speaks for either, so the first is taken");
  });

  it("has failed VMs go at the new time, earlier or later", async () => {
    const host = await pool.addHost("mac-1");
    for (const name of ["a", "b"]) {
      host.next("create", failForGood);
      await pool.create(name);
      assert.equal(pool.vm(name).state, "FAILED");
    }
    await set({ vms: { failedRetentionMs: 60_000 } });
    await pool.advance(59_000);
    assert.equal(pool.vm("a").state, "FAILED");
    await pool.advance(1_100);
    assert.equal(pool.vm("a").state, "DELETED");
    host.next("create", failForGood);
    await pool.create("c");
    await set({ vms: { failedRetentionMs: 120_000 } });
    await pool.advance(119_000);
    assert.equal(pool.vm("c").state, "FAILED");
    await pool.advance(1_100);
    assert.equal(pool.vm("c").state, "DELETED");
  });

  it("has the records of deleted VMs go at the new time", async () => {
    await pool.create("a");
    await pool.submit({ type: "vm-want", id: asVmId("a"), wanted: "deleted", force: false });
    await set({ vms: { deletedRetentionMs: 5_000 } });
    await pool.advance(5_100);
    assert.equal(pool.view().vms.has(asVmId("a")), false);
  });

  it("has a silent host lost at the new time, at once if that is over", async () => {
    const host = await pool.addHost("mac-1");
    await host.disconnect();
    await pool.advance(60_000);
    assert.equal(pool.view().hosts.get(asHostId("mac-1"))?.state, "DISCONNECTED");
    await set({ hosts: { lostAfterMs: 25_000 } });
    await pool.advance(10);
    assert.equal(pool.view().hosts.get(asHostId("mac-1"))?.state, "LOST");
  });

  it("has a host that is heard no more silent after as many periods as it says now", async () => {
    const host = await pool.addHost("mac-1");
    await host.disconnect();
    await set({ hosts: { silentAfterPeriods: 6 } });
    await pool.advance(59_000);
    assert.equal(pool.view().hosts.get(asHostId("mac-1"))?.state, "READY");
    await pool.advance(1_100);
    assert.equal(pool.view().hosts.get(asHostId("mac-1"))?.state, "DISCONNECTED");
  });
});

describe("the settings of leases", () => {
  const minuteMs = 60_000;

  it("give a lease to VMs whose spec says nothing of one, and none to those that want none", async () => {
    await set({ vms: { defaultLeaseMs: minuteMs } });
    await pool.create("a");
    await pool.create("b", { leaseDurationMs: 0 });
    await pool.create("c", { leaseDurationMs: 2 * minuteMs });
    assert.deepEqual(
      ["a", "b", "c"].map((name) => pool.vm(name).spec.leaseDurationMs),
      [minuteMs, undefined, 2 * minuteMs],
    );
  });

  it("bound the leases that are asked for, and leave those that were granted", async () => {
    await pool.addHost("mac-1");
    await pool.create("a", { leaseDurationMs: 10 * minuteMs });
    await set({ vms: { maximumLeaseMs: 5 * minuteMs } });
    const refusal = await pool.refuses(vmCreate("b", { leaseDurationMs: 6 * minuteMs }), "FIELD_INVALID");
    assert.match(refusal.message, /at most 300 s.*vms\.maximum_lease/);
    const renew = { type: "vm-renew", id: asVmId("a") } as const;
    await pool.refuses({ ...renew, leaseDurationMs: 6 * minuteMs }, "FIELD_INVALID");
    const { id, generation, spec } = pool.vm("a");
    const changed = { ...spec, labels: { a: "b" } };
    await pool.submit({ type: "vm-update", id, baseGeneration: generation, spec: changed });
    assert.equal(pool.vm("a").spec.leaseDurationMs, 10 * minuteMs);
    await pool.submit(renew);
    assert.equal(pool.vm("a").spec.leaseDurationMs, 5 * minuteMs);
  });

  it("can ask every VM for a lease, without touching those that have none", async () => {
    await pool.create("a");
    await set({ vms: { withoutLease: "nobody" } });
    for (const fields of [{}, { leaseDurationMs: 0 }]) await pool.refuses(vmCreate("b", fields), "FIELD_INVALID");
    await pool.create("b", { leaseDurationMs: minuteMs });
    const { id, generation, spec } = pool.vm("b");
    const { leaseDurationMs: _, ...unleased } = spec;
    await pool.refuses({ type: "vm-update", id, baseGeneration: generation, spec: unleased }, "FIELD_INVALID");
    const older = pool.vm("a");
    const relabelled = { ...older.spec, labels: { a: "b" } };
    await pool.submit({ type: "vm-update", id: older.id, baseGeneration: older.generation, spec: relabelled });
    assert.equal(pool.vm("a").spec.leaseDurationMs, undefined);
  });
});
