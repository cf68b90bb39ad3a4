import assert from "node:assert/strict";
import { hostFacts } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { hold } from "../../../support/pool/scripted-host.ts";
import { sized, vmWant } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;

describe("estimates of the wait", () => {
  let pool: PoolDriver;
  beforeEach(async () => {
    pool = await PoolDriver.open();
  });
  afterEach(() => pool.close());

  /** A VM as large as a Mac that lives for so long and goes. */
  async function live(name: string, lifeMs: number): Promise<void> {
    await pool.create(name, sized(12));
    await pool.advance(lifeMs);
    await pool.submit(vmWant(name, "deleted"));
    await pool.settle();
    assert.equal(pool.vm(name).state, "DELETED");
  }

  it("cannot be made before any VM of the template has ended", async () => {
    await pool.addHost("mac-1");
    await pool.create("a", sized(12));
    await pool.create("b", sized(12));
    const { estimate, summary } = pool.explain("b");
    assert.equal(estimate, undefined);
    assert.doesNotMatch(summary, /probably/);
  });

  it("tell when the VM in the way will probably be gone, from how long such VMs stayed", async () => {
    await pool.addHost("mac-1");
    for (let count = 0; count < 12; count += 1) await live(`past-${count}`, 10 * minuteMs);
    await pool.create("a", sized(12));
    await pool.advance(4 * minuteMs);
    await pool.create("b", sized(12));
    const { estimate, summary } = pool.explain("b");
    assert.equal(estimate?.observed, 12);
    assert.equal(estimate?.certainty, "medium");
    assert.ok(Math.abs((estimate?.waitMs ?? 0) - 6 * minuteMs) < 2 * minuteMs, `${estimate?.waitMs}`);
    assert.match(summary, /1 host has too few CPUs free; probably about \d+ min more.*judged by 12 such VMs/);
  });

  it("grow with the VMs that wait before it, round after round", async () => {
    await pool.addHost("mac-1");
    for (let count = 0; count < 12; count += 1) await live(`past-${count}`, 10 * minuteMs);
    for (const name of ["a", "b", "c", "d"]) await pool.create(name, sized(12));
    const waits = ["b", "c", "d"].map((name) => pool.explain(name).estimate?.waitMs ?? Number.NaN);
    const steps = [waits[0], (waits[1] ?? 0) - (waits[0] ?? 0), (waits[2] ?? 0) - (waits[1] ?? 0)];
    for (const step of steps) assert.ok(Math.abs((step ?? 0) - 10 * minuteMs) < 2 * minuteMs, String(steps));
  });

  it("go by the end of a lease where nothing else is known", async () => {
    await pool.addHost("mac-1");
    await pool.create("a", { ...sized(12), leaseDurationMs: 30 * minuteMs });
    await pool.create("b", sized(12));
    const { estimate, summary } = pool.explain("b");
    assert.equal(estimate?.waitMs, 30 * minuteMs);
    assert.equal(estimate?.certainty, "low");
    assert.match(summary, /judged by leases alone/);
  });

  it("are not made for a host that could never take the VM", async () => {
    const host = await pool.addHost("mac-1");
    await live("past", 10 * minuteMs);
    await pool.create("a", sized(12));
    await pool.changeHost("mac-1", { schedulable: false });
    await pool.create("b", sized(12));
    assert.equal(pool.explain("b").estimate, undefined);
    assert.equal(host.id, "mac-1");
  });

  it("outlive a restart of the server, and end with the template", async () => {
    await pool.addHost("mac-1");
    await live("past", 10 * minuteMs);
    const { template } = pool.vm("past").spec;
    const before = pool.view().lifetimes.get(template);
    assert.equal(before?.total, 1);
    pool = await pool.restart();
    assert.deepEqual(pool.view().lifetimes.get(template), before);
    await pool.advance(60 * minuteMs);
    await pool.submit({ type: "template-delete", id: template });
    assert.equal(pool.view().lifetimes.size, 0);
  });

  it("of a plan say how many fit now and how long the last one waits", async () => {
    for (const name of ["mac-1", "mac-2"]) await pool.addHost(name);
    await live("past", 10 * minuteMs);
    const plan = pool.plan(sized(4), 8);
    assert.equal(plan.fitNow, 6);
    assert.match(plan.summary, /^6 of 8 would be placed now, 2 would wait/);
    assert.equal(pool.plan(sized(4), 6).summary, "all 6 would be placed now");
    await pool.create("a", { ...sized(12) });
    await pool.create("b", { ...sized(12) });
    const full = pool.plan(sized(12), 3);
    assert.equal(full.fitNow, 0);
    assert.match(full.summary, /^all 3 would wait: 2 hosts have too few CPUs free; probably about/);
  });

  it("plan exactly as many VMs as are then placed, on hosts of every size and fill", async () => {
    for (const [index, cpuCount] of [8, 12, 16, 24].entries()) {
      const total = { cpuCount, memoryMib: 4096 * (index + 3), diskMib: 40_000 * (index + 2) };
      const host = await pool.addHost(`mac-${index}`, { facts: hostFacts({ total }) });
      host.always("create", hold);
      await pool.create(`fills-${index}`, { ...sized(index + 1), placement: { host: host.id } });
    }
    for (const [index, size] of [sized(1), sized(3), sized(5, 9000), sized(2, 2048, 60_000)].entries()) {
      const planned = pool.plan(size, 500).fitNow;
      const names = Array.from({ length: 40 }, (_, number) => `vm-${index}-${number}`);
      for (const name of names) await pool.create(name, size);
      const placed = names.filter((name) => pool.vm(name).host !== undefined);
      assert.equal(placed.length, planned, JSON.stringify(size));
      for (const name of names) await pool.submit({ ...vmWant(name, "deleted"), force: true });
      await pool.settle();
    }
  });
});
