import assert from "node:assert/strict";
import { defaultProjectSpec } from "../../../../server/pool/project.ts";
import { asHostId, asProjectId, asVmId } from "../../../../shared/ids.ts";
import { checkPlanned, checkPool } from "../../../support/pool/pool-check.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failRetryably, succeed } from "../../../support/pool/scripted-host.ts";
import { sized, uidFor, type VmCreateFields, vmSpec, vmWant } from "../../../support/pool/specs.ts";

const secondMs = 1000;
const on = { enabled: true, afterWaitMs: 30 * secondMs, noticeMs: 60 * secondMs };

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

const hasNotice = (...names: readonly string[]): readonly boolean[] =>
  names.map((name) => pool.vm(name).notice !== undefined);

const preemptible = (priority: number, cpuCount = 6): VmCreateFields => ({
  ...sized(cpuCount),
  priority,
  preemptible: true,
});

/** Two preemptible VMs fill a host of 12 CPUs, and an urgent one waits that needs as much as one of them. */
async function fill(urgent: VmCreateFields = { ...sized(6), priority: 90 }): Promise<void> {
  await pool.set({ preemption: on });
  await pool.addHost("mac-1");
  await pool.create("low", preemptible(10));
  await pool.create("lower", preemptible(5));
  await pool.create("urgent", urgent);
}

/** What the history tells of notices, the oldest first. */
function told(): readonly string[] {
  return [...pool.view().history.pagesFrom(0)]
    .flatMap(({ entries }) => entries)
    .filter(({ action }) => action === "vm.notice")
    .map(({ resource, from, to }) => `${resource} ${from} ${to}`);
}

describe("VMs give way", () => {
  it("to a more urgent one that has waited for long enough, after a notice, the least important first", async () => {
    await fill();
    await pool.advance(29 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [false, false]);
    await pool.advance(2 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [false, true]);
    const { notice } = pool.vm("lower");
    assert.equal(notice?.vm, "urgent");
    assert.equal(notice?.endMs - notice?.sinceMs, on.noticeMs);
    assert.match(pool.explain("urgent").summary, /1 preemptible VM on hosts\/mac-1 gives way in 59 s/);
    await pool.advance(58 * secondMs);
    assert.equal(pool.vm("lower").state, "RUNNING");
    await pool.advance(2 * secondMs);
    assert.deepEqual([pool.vm("lower").state, pool.vm("lower").endReason], ["DELETED", "Preempted"]);
    assert.equal(pool.vm("lower").timeline.at(-1)?.reason, "Preempted");
    assert.equal(pool.vm("lower").failure?.reason, "Preempted");
    assert.deepEqual([pool.vm("urgent").state, pool.vm("low").state], ["RUNNING", "RUNNING"]);
    assert.deepEqual(told(), ["vms/lower none given", "vms/lower given over"]);
  });

  it("and wait for another host if they may be tried again, which uses up none of their tries and blames nobody", async () => {
    await pool.set({ preemption: on });
    await pool.addHost("mac-1");
    await pool.create("low", { ...preemptible(10, 12), retryAttempts: 1 });
    await pool.create("urgent", { ...sized(12), priority: 90 });
    await pool.advance(95 * secondMs);
    assert.deepEqual([pool.vm("urgent").state, pool.vm("low").state], ["RUNNING", "PENDING"]);
    const { retriesUsed, failure, notice, host, spec, timeline } = pool.vm("low");
    assert.deepEqual([retriesUsed ?? 0, failure?.reason, failure?.suspect], [0, "Preempted", "none"]);
    assert.deepEqual(
      [notice, host, spec.wanted, timeline.at(-1)?.reason],
      [undefined, undefined, "running", "Preempted"],
    );
    assert.equal(pool.view().hosts.get(asHostId("mac-1"))?.trouble, undefined);
    await pool.addHost("mac-2");
    assert.deepEqual([pool.vm("low").state, pool.vm("low").attempt], ["RUNNING", 2]);
  });

  it("only if the settings say so", async () => {
    await fill();
    await pool.set({});
    await pool.advance(600 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [false, false]);
    await pool.set({ preemption: on });
    await pool.advance(secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [false, true]);
  });

  it("never to one of the same priority, however long it has waited, and never unless they are marked", async () => {
    await pool.set({ preemption: on });
    await pool.addHost("mac-1");
    await pool.create("equal", preemptible(50));
    await pool.create("unmarked", { ...sized(6), priority: 1 });
    await pool.create("waiter", { ...sized(6), priority: 50 });
    await pool.create("largest", { ...sized(12), priority: 51 });
    await pool.advance(7200 * secondMs);
    assert.deepEqual(hasNotice("equal", "unmarked"), [false, false]);
  });

  it("as few as will do: one that is large enough rather than two", async () => {
    await pool.set({ preemption: on });
    await pool.addHost("mac-1");
    await pool.create("small", preemptible(1, 3));
    await pool.create("smaller", preemptible(1, 3));
    await pool.create("large", preemptible(20, 6));
    await pool.create("urgent", { ...sized(6), priority: 90 });
    await pool.advance(31 * secondMs);
    assert.deepEqual(hasNotice("small", "smaller", "large"), [false, false, true]);
  });

  it("not where what is needed comes free by itself", async () => {
    await fill();
    pool.host("mac-1").always("delete", { kind: "hold" });
    await pool.submit(vmWant("low", "deleted"));
    await pool.advance(60 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [false, false]);
  });

  it("on hosts that could take the other: not on one that is cordoned or lacks a label", async () => {
    await fill({ ...sized(6), priority: 90, placement: { host: asHostId("mac-1") } });
    await pool.changeHost("mac-1", { schedulable: false });
    await pool.advance(60 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [false, false]);
    await pool.changeHost("mac-1", { schedulable: true });
    await pool.advance(11 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [false, true]);
  });

  it("no faster than the settings allow", async () => {
    await pool.set({ preemption: { ...on, victimsPerMinute: 1, noticeMs: 300 * secondMs } });
    for (const name of ["mac-1", "mac-2"]) {
      await pool.addHost(name);
      await pool.create(`on-${name}`, { ...preemptible(10, 12), placement: { host: asHostId(name) } });
    }
    for (const name of ["urgent-1", "urgent-2"]) await pool.create(name, { ...sized(12), priority: 90 });
    await pool.advance(31 * secondMs);
    assert.deepEqual(hasNotice("on-mac-1", "on-mac-2"), [true, false]);
    await pool.advance(58 * secondMs);
    assert.deepEqual(hasNotice("on-mac-1", "on-mac-2"), [true, false]);
    await pool.advance(3 * secondMs);
    assert.deepEqual(hasNotice("on-mac-1", "on-mac-2"), [true, true]);
  });

  it("at once for all of several that need it, each on a host of its own", async () => {
    await pool.set({ preemption: on });
    for (const name of ["mac-1", "mac-2", "mac-3"]) {
      await pool.addHost(name);
      await pool.create(`on-${name}`, { ...preemptible(10, 12), placement: { host: asHostId(name) } });
    }
    for (const name of ["urgent-1", "urgent-2"]) await pool.create(name, { ...sized(12), priority: 90 });
    await pool.advance(31 * secondMs);
    assert.deepEqual(hasNotice("on-mac-1", "on-mac-2", "on-mac-3").filter(Boolean), [true, true]);
    await pool.advance(61 * secondMs);
    assert.deepEqual([pool.vm("urgent-1").state, pool.vm("urgent-2").state], ["RUNNING", "RUNNING"]);
  });
});

describe("room for which others give way", () => {
  it("goes to the one that it was promised to, and to nobody who comes meanwhile", async () => {
    await fill({ ...sized(12), priority: 90 });
    await pool.advance(31 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [true, true]);
    await pool.submit(vmWant("low", "deleted"));
    await pool.create("small", { ...sized(2), priority: 100 });
    assert.equal(pool.vm("small").state, "PENDING");
    assert.deepEqual(pool.explain("small").verdicts[0], {
      host: "mac-1",
      fits: false,
      filter: "reserved_for",
      message: "keeps its room for vms/urgent, for which others give way",
    });
    await pool.advance(61 * secondMs);
    assert.deepEqual([pool.vm("urgent").host, pool.vm("small").state], ["mac-1", "PENDING"]);
  });

  it("leaves the rest of the host to others", async () => {
    await pool.set({ preemption: on });
    await pool.addHost("mac-1");
    await pool.create("low", preemptible(10, 8));
    await pool.create("urgent", { ...sized(6), priority: 90 });
    await pool.advance(31 * secondMs);
    await pool.create("small", sized(4));
    await pool.create("second", sized(2));
    assert.deepEqual([pool.vm("small").state, pool.vm("second").state], ["RUNNING", "PENDING"]);
    await pool.advance(61 * secondMs);
    assert.deepEqual([pool.vm("urgent").state, pool.vm("second").state], ["RUNNING", "RUNNING"]);
  });

  it("counts for the quota of its project", async () => {
    await fill({ ...sized(6), priority: 90, project: "acme" });
    const spec = { ...defaultProjectSpec, quota: { cpuCount: 8 } };
    await pool.submit({ type: "project-create", id: asProjectId("acme"), uid: uidFor("acme"), spec });
    await pool.advance(31 * secondMs);
    assert.deepEqual(hasNotice("lower"), [true]);
    await pool.addHost("mac-2");
    // It fits on the new host itself, so that it is that VM which holds the quota now.
    assert.deepEqual([pool.vm("urgent").host, ...hasNotice("lower")], ["mac-2", false]);
    await pool.create("more", { ...sized(4), project: "acme" });
    assert.equal(pool.vm("more").state, "PENDING");
    assert.match(pool.explain("more").summary, /project acme has 6 of 8 CPUs/);
  });

  it("is held against the quota while the notice runs", async () => {
    const spec = { ...defaultProjectSpec, quota: { cpuCount: 8 } };
    await pool.submit({ type: "project-create", id: asProjectId("acme"), uid: uidFor("acme"), spec });
    await fill({ ...sized(6), priority: 90, project: "acme", placement: { host: asHostId("mac-1") } });
    await pool.advance(31 * secondMs);
    assert.deepEqual(hasNotice("lower"), [true]);
    await pool.addHost("mac-2");
    await pool.create("more", { ...sized(4), project: "acme" });
    assert.equal(pool.vm("more").state, "PENDING");
    await pool.advance(61 * secondMs);
    assert.equal(pool.vm("urgent").state, "RUNNING");
  });

  it("is kept over a restart of the server, and so are the notices", async () => {
    await fill();
    await pool.advance(31 * secondMs);
    const { endMs } = pool.vm("lower").notice ?? assert.fail();
    const host = pool.host("mac-1");
    pool = await pool.restart();
    checkPool(pool.view());
    assert.equal(pool.vm("lower").notice?.endMs, endMs);
    const back = pool.newHost("mac-1");
    for (const [name, vm] of host.vms) back.vms.set(name, vm);
    await pool.connect(back);
    await pool.advance(61 * secondMs);
    assert.deepEqual([pool.vm("urgent").state, pool.vm("lower").state], ["RUNNING", "DELETED"]);
  });

  it("is waited for while a delete fails, without anybody else having to give way", async () => {
    await fill();
    const host = pool.host("mac-1");
    host.always("delete", failRetryably);
    await pool.advance(200 * secondMs);
    assert.deepEqual([pool.vm("lower").state, ...hasNotice("low")], ["DELETING", false]);
    assert.match(pool.explain("urgent").summary, /1 preemptible VM on hosts\/mac-1 is being ended for it/);
    host.always("delete", succeed);
    await pool.advance(120 * secondMs);
    assert.deepEqual([pool.vm("urgent").state, pool.vm("low").state], ["RUNNING", "RUNNING"]);
  });
});

describe("a notice is taken back", () => {
  const causes: Readonly<Record<string, () => Promise<unknown>>> = {
    "when the VM that it is for was placed elsewhere": () => pool.addHost("mac-2"),
    "when room for that VM has come by itself": () => pool.submit(vmWant("low", "deleted")),
    "when that VM is deleted": () => pool.submit(vmWant("urgent", "deleted")),
    "when preemption is turned off": () => pool.set({}),
    "when the host is cordoned": () => pool.changeHost("mac-1", { schedulable: false }),
    "when the VM that was to give way may stay after all": () => change("lower", { preemptible: undefined }),
    "when that VM is no less urgent any more": () => change("lower", { priority: 90 }),
    "when the other is no more urgent": () => change("urgent", { priority: 5 }),
  };

  async function change(name: string, fields: Record<string, unknown>): Promise<void> {
    const { id, generation, spec } = pool.vm(name);
    const changed = vmSpec({ ...spec, ...fields });
    if (fields["preemptible"] === undefined && "preemptible" in fields) {
      const { preemptible: _, ...without } = changed;
      await pool.submit({ type: "vm-update", id, baseGeneration: generation, spec: without });
    } else await pool.submit({ type: "vm-update", id, baseGeneration: generation, spec: changed });
  }

  for (const [name, cause] of Object.entries(causes)) {
    it(name, async () => {
      await fill();
      await pool.advance(31 * secondMs);
      assert.deepEqual(hasNotice("lower"), [true]);
      await cause();
      assert.deepEqual(hasNotice("lower"), [false]);
      checkPool(pool.view());
      checkPlanned(pool.view());
      assert.ok(told().includes("vms/lower given none"));
      assert.equal(pool.view().givingWayTo(asVmId("urgent")).size, Number(hasNotice("low")[0]));
      await pool.advance(40 * secondMs);
      assert.equal(pool.vm("lower").state, "RUNNING");
    });
  }

  it("when room comes while the host is away: its notice would run meanwhile", async () => {
    await fill();
    await pool.advance(31 * secondMs);
    await pool.host("mac-1").disconnect();
    await pool.submit(vmWant("low", "deleted"));
    assert.deepEqual(hasNotice("lower"), [false]);
    checkPlanned(pool.view());
  });

  it("of the more important of two, if one is enough once another VM has gone", async () => {
    await pool.set({ preemption: on });
    await pool.addHost("mac-1");
    await pool.create("low", preemptible(10, 4));
    await pool.create("lower", preemptible(5, 4));
    await pool.create("other", sized(4));
    await pool.create("urgent", { ...sized(8), priority: 90 });
    await pool.advance(31 * secondMs);
    assert.deepEqual(hasNotice("low", "lower"), [true, true]);
    await pool.submit(vmWant("other", "deleted"));
    assert.deepEqual(hasNotice("low", "lower"), [false, true]);
    await pool.advance(61 * secondMs);
    assert.deepEqual([pool.vm("urgent").state, pool.vm("low").state], ["RUNNING", "RUNNING"]);
  });

  it("of one of two, if the other needs less by now", async () => {
    await fill({ ...sized(12), priority: 90 });
    await pool.advance(31 * secondMs);
    const { id, generation, spec } = pool.vm("urgent");
    const smaller = { ...spec, resources: { ...spec.resources, cpuCount: 6 } };
    await pool.submit({ type: "vm-update", id, baseGeneration: generation, spec: smaller });
    assert.deepEqual(hasNotice("low", "lower"), [false, true]);
    checkPool(pool.view());
  });
});
