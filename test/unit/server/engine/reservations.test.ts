import assert from "node:assert/strict";
import { asHostId, asVmId } from "../../../../shared/ids.ts";
import { goldenVm, hostFacts, hostVm, wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { QueueRun } from "../../../support/pool/queue-run.ts";
import { settingsUpdate, sized, vmWant } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

const reservedOn = (name: string): string | undefined => pool.vm(name).reservation?.host;

/** Two small VMs fill a host of 12 CPUs, a large one waits, and a small one takes what another leaves. */
async function passOver(): Promise<void> {
  await pool.addHost("mac-1");
  await pool.create("small-1", sized(6));
  await pool.create("small-2", sized(6));
  await pool.create("large", sized(12));
  await pool.create("small-3", sized(6));
  await pool.submit(vmWant("small-1", "deleted"));
  assert.deepEqual([pool.vm("small-3").state, pool.vm("large").state], ["RUNNING", "PENDING"]);
}

describe("room builds up for a large VM", () => {
  it("once smaller ones have gone before it for long enough, and is given to nobody else", async () => {
    await passOver();
    await pool.advance(10 * minuteMs - 1000);
    assert.equal(reservedOn("large"), undefined);
    await pool.advance(2000);
    assert.equal(reservedOn("large"), "mac-1");
    assert.match(
      pool.explain("large").summary,
      /1 host has too few CPUs free; room is building up for it on hosts\/mac-1/,
    );
    await pool.submit(vmWant("small-2", "deleted"));
    await pool.create("small-4", sized(6));
    assert.equal(pool.vm("small-4").state, "PENDING");
    const [verdict] = pool.explain("small-4").verdicts;
    assert.deepEqual(verdict, {
      host: "mac-1",
      fits: false,
      filter: "reserved_for",
      message: "keeps its room for vms/large, which has waited for longer",
    });
    assert.match(pool.explain("small-4").summary, /1 host keeps its room for another VM/);
    await pool.submit(vmWant("small-3", "deleted"));
    assert.deepEqual([pool.vm("large").state, pool.vm("large").host], ["RUNNING", "mac-1"]);
    assert.equal(reservedOn("large"), undefined);
    await pool.submit(vmWant("large", "deleted"));
    assert.equal(pool.vm("small-4").state, "RUNNING");
  });

  it("but not where nothing smaller went before it, however long it waits", async () => {
    await pool.addHost("mac-1");
    await pool.create("holder", sized(12));
    await pool.create("waiter", sized(12));
    // Of another shape and of the same size, and more urgent.
    await pool.create("urgent", { ...sized(12), priority: 100, placement: { host: asHostId("mac-1") } });
    await pool.submit(vmWant("holder", "deleted"));
    assert.equal(pool.vm("urgent").state, "RUNNING");
    await pool.advance(60 * minuteMs);
    assert.equal(reservedOn("waiter"), undefined);
  });

  it("beside VMs that leave enough of it", async () => {
    const facts = hostFacts({ total: { cpuCount: 24, memoryMib: 262_144, diskMib: 4_000_000 } });
    await pool.addHost("mac-1", { facts });
    for (const name of ["a", "b", "c", "d"]) await pool.create(name, sized(6));
    await pool.create("large", sized(16));
    await pool.create("e", sized(6));
    await pool.submit(vmWant("a", "deleted"));
    await pool.advance(11 * minuteMs);
    assert.equal(reservedOn("large"), "mac-1");
    await pool.submit(vmWant("b", "deleted"));
    await pool.create("tiny", sized(6));
    assert.equal(pool.vm("tiny").state, "RUNNING", "16 and 6 of 24 are left once the others have gone");
    await pool.submit(vmWant("c", "deleted"));
    await pool.create("too-much", sized(6));
    assert.equal(pool.vm("too-much").state, "PENDING");
    for (const name of ["d", "e"]) await pool.submit(vmWant(name, "deleted"));
    assert.equal(pool.vm("large").state, "RUNNING");
  });

  it("on the host where it will fit soonest", async () => {
    await pool.addHost("mac-1");
    await pool.addHost("mac-2");
    const on = (host: string) => ({ placement: { host: asHostId(host) } });
    await pool.create("long", { ...sized(6), ...on("mac-1"), leaseDurationMs: 300 * minuteMs });
    await pool.create("short", { ...sized(6), ...on("mac-2"), leaseDurationMs: 60 * minuteMs });
    await pool.create("large", sized(12));
    await pool.create("small", { ...sized(6), ...on("mac-2"), leaseDurationMs: 30 * minuteMs });
    await pool.advance(11 * minuteMs);
    assert.equal(reservedOn("large"), "mac-2");
    await pool.advance(50 * minuteMs);
    assert.equal(pool.vm("large").host, "mac-2");
  });

  it("on a bounded share of the hosts", async () => {
    for (const name of ["mac-1", "mac-2"]) await pool.addHost(name);
    for (const name of ["a", "b", "c", "d"]) await pool.create(name, sized(6));
    await pool.create("large", sized(12));
    await pool.create("larger", sized(11));
    await pool.create("small", sized(6));
    await pool.submit(vmWant("a", "deleted"));
    await pool.advance(30 * minuteMs);
    const kept = ["large", "larger"].filter((name) => reservedOn(name) !== undefined);
    assert.deepEqual(kept, ["large"], "a tenth of the hosts, and one at least");
    await pool.submit(settingsUpdate({ queue: { reservedShare: 0 } }, 0));
    await pool.submit(vmWant("large", "deleted"));
    await pool.create("small-2", sized(6));
    await pool.submit(vmWant("b", "deleted"));
    await pool.advance(30 * minuteMs);
    assert.equal(reservedOn("larger"), undefined);
    await pool.submit(settingsUpdate({ queue: { reservedShare: 1 } }, 1));
    await pool.create("small-3", sized(6));
    await pool.submit(vmWant("c", "deleted"));
    await pool.advance(30 * minuteMs);
    assert.notEqual(reservedOn("larger"), undefined);
  });

  it("and survives a restart", async () => {
    await passOver();
    await pool.advance(11 * minuteMs);
    pool = await pool.restart();
    await pool.settle();
    assert.equal(reservedOn("large"), "mac-1");
    assert.equal(pool.view().ledger(asHostId("mac-1")).reservation?.vm, "large");
  });

  it("before others of its shape, but for those that are more urgent", async () => {
    await passOver();
    await pool.advance(11 * minuteMs);
    await pool.create("urgent", { ...sized(12), priority: 90 });
    for (const name of ["small-2", "small-3"]) await pool.submit(vmWant(name, "deleted"));
    assert.deepEqual([pool.vm("urgent").state, pool.vm("large").state], ["RUNNING", "PENDING"]);
    assert.equal(reservedOn("large"), "mac-1");
    await pool.submit(vmWant("urgent", "deleted"));
    assert.equal(pool.vm("large").state, "RUNNING");
  });
});

describe("room that is kept is given back, and used by others at once,", () => {
  beforeEach(async () => {
    await passOver();
    await pool.advance(11 * minuteMs);
    assert.equal(reservedOn("large"), "mac-1");
    await pool.create("waiter", sized(6));
    await pool.submit(vmWant("small-2", "deleted"));
    assert.equal(pool.vm("waiter").state, "PENDING");
  });

  it("when the VM is deleted", async () => {
    await pool.submit(vmWant("large", "deleted"));
    assert.equal(pool.vm("waiter").state, "RUNNING");
    assert.equal(pool.view().reservations.size, 0);
  });

  it("when the VM finds another host", async () => {
    await pool.addHost("mac-2");
    assert.deepEqual([pool.vm("large").host, pool.vm("waiter").host], ["mac-2", "mac-1"]);
  });

  it("when the VM asks for something else", async () => {
    const { id, generation, spec } = pool.vm("large");
    await pool.submit({
      type: "vm-update",
      id,
      baseGeneration: generation,
      spec: { ...spec, resources: { ...spec.resources, cpuCount: 11 } },
    });
    assert.equal(pool.vm("waiter").state, "RUNNING");
  });

  it("when it has been kept for too long", async () => {
    await pool.advance(119 * minuteMs - 1000);
    assert.equal(reservedOn("large"), "mac-1");
    await pool.advance(2 * minuteMs);
    assert.equal(reservedOn("large"), undefined);
    assert.equal(pool.vm("waiter").state, "RUNNING");
  });

  it("when the host can no longer take it, even empty", async () => {
    const host = pool.host("mac-1");
    host.vms.set(
      "of-a-person",
      hostVm("of-a-person", { state: "running", resources: { cpuCount: 1, memoryMib: 0, diskMib: 0 } }),
    );
    await host.tellInventory(wholeInventory([...host.vms.values(), goldenVm()]));
    await pool.settle();
    assert.equal(reservedOn("large"), undefined);
  });

  it("when the host is cordoned", async () => {
    await pool.changeHost("mac-1", { schedulable: false });
    assert.equal(reservedOn("large"), undefined);
  });

  it("when the host is lost, but not while it is between two sessions", async () => {
    await pool.host("mac-1").disconnect();
    await pool.settle();
    assert.equal(reservedOn("large"), "mac-1");
    await pool.advance(2 * minuteMs);
    assert.equal(reservedOn("large"), undefined);
    assert.equal(pool.vm(asVmId("large")).state, "PENDING");
  });
});

describe("something large", () => {
  it("gets its turn in a stream of small VMs that never ends, within the bound and the longest stay", () => {
    const run = new QueueRun();
    run.addHost("mac-1");
    run.addHost("mac-2");
    const { reserveAfterMs } = run.pool.queue.settings;
    const stayMs = 30 * minuteMs;
    let asked = 0;
    const keepBusy = (untilMs: number): void => {
      while (run.timeMs < untilMs && !run.placedAtMs.has("large")) {
        run.ask(`small-${asked}`, stayMs - (asked % 7) * minuteMs, { ...sized(2), project: `p${asked % 3}` });
        asked += 1;
        run.advanceTo(run.timeMs + minuteMs);
      }
    };
    keepBusy(run.timeMs + 60 * minuteMs);
    run.ask("large", stayMs, { ...sized(12), project: "p0" });
    const startMs = run.timeMs;
    keepBusy(startMs + 24 * 60 * minuteMs);
    const waitedMs = (run.placedAtMs.get("large") ?? Number.POSITIVE_INFINITY) - startMs;
    assert.ok(waitedMs > reserveAfterMs, "it would not have found room otherwise");
    assert.ok(waitedMs <= reserveAfterMs + 2 * minuteMs + stayMs, `${waitedMs / minuteMs} min`);
  });
});
