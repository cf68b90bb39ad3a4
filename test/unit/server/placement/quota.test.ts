import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { ProjectQuota, ProjectSpec } from "../../../../server/pool/project.ts";
import { ProjectLedger } from "../../../../server/pool/project-ledgers.ts";
import { brokenBound, roomIn } from "../../../../server/pool/quota.ts";
import { asProjectId } from "../../../../shared/ids.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { hold } from "../../../support/pool/scripted-host.ts";
import { sized, templateCreate, uidFor, vmWant } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

async function project(name: string, fields: Partial<ProjectSpec>): Promise<void> {
  const spec = { displayName: "", weight: 1, quota: {}, labels: {}, ...fields };
  const id = asProjectId(name);
  const known = pool.view().projects.get(name);
  if (known === undefined) await pool.submit({ type: "project-create", id, uid: uidFor(name), spec });
  else await pool.submit({ type: "project-update", id, baseGeneration: known.generation, spec });
}

const states = (...names: readonly string[]): readonly string[] => names.map((name) => pool.vm(name).state);

describe("a project's quota", () => {
  it("keeps VMs waiting beyond it, says so, and keeps nobody else from anything", async () => {
    await pool.addHost("mac-1");
    await project("acme", { quota: { vms: 2 } });
    for (const name of ["a", "b", "c"]) await pool.create(name, { ...sized(1), project: "acme" });
    await pool.create("d", sized(1));
    assert.deepEqual(states("a", "b", "c", "d"), ["RUNNING", "RUNNING", "PENDING", "RUNNING"]);
    const told = pool.explain("c");
    assert.equal(told.summary, "waiting a moment, first of 1 in the queue: project acme has 2 of 2 VMs");
    assert.deepEqual(told.refusalCounts, [{ filter: "quota", hosts: 1, message: "project acme has 2 of 2 VMs" }]);
    assert.deepEqual(told.verdicts, [
      { host: "mac-1", fits: false, filter: "quota", message: "project acme has 2 of 2 VMs" },
    ]);
    assert.equal(told.host, undefined);
    assert.equal(pool.explain("a").verdicts[0]?.fits, true, "one that is placed is not refused");
    const plan = pool.plan({ ...sized(1), project: "acme" });
    assert.equal(plan.summary, "it would wait: project acme has 2 of 2 VMs");
    assert.equal(plan.fitNow, 0);
    assert.equal(pool.plan(sized(1)).fitNow, 1);
  });

  it("tells also why no host would take it", async () => {
    await pool.addHost("mac-1");
    await project("acme", { quota: { cpuCount: 4 } });
    await pool.create("a", { ...sized(8), project: "acme" });
    const cause = "project acme has 0 of 4 CPUs, and 8 are needed";
    assert.equal(pool.explain("a").summary, `waiting a moment, first of 1 in the queue: ${cause}`);
    await pool.create("b", { ...sized(64), project: "acme" });
    assert.match(pool.explain("b").summary, /and 64 are needed; 1 host is too small$/);
  });

  it("names each bound in its own words", async () => {
    await pool.addHost("mac-1");
    const { id: macos } = await pool.submit(templateCreate("macos", { guestOs: "macos" }));
    const cases: readonly [ProjectQuota, RegExp][] = [
      [{ macosSlots: 0 }, /has 0 of 0 macOS guests$/],
      [{ memoryMib: 4096 }, /has 0 MiB of 4 GiB of memory, and 8 GiB are needed$/],
      [{ diskMib: 10_240 }, /has 0 MiB of 10 GiB of disk, and 19\.5 GiB are needed$/],
    ];
    for (const [index, [quota, words]] of cases.entries()) {
      await project(`p${index}`, { quota });
      const spec = { project: `p${index}`, resources: { cpuCount: 1, memoryMib: 8192, diskMib: 20_000 } };
      assert.match(pool.plan({ ...spec, template: macos }).summary, words);
    }
  });

  it("counts a VM until Parallels Desktop no longer shows it", async () => {
    const host = await pool.addHost("mac-1");
    await project("acme", { quota: { vms: 1 } });
    await pool.create("a", { project: "acme" });
    await pool.create("b", { project: "acme" });
    host.next("delete", hold);
    await pool.submit(vmWant("a", "deleted"));
    assert.deepEqual(states("a", "b"), ["DELETING", "PENDING"]);
    await host.finish(pool.vm("a"), pool.vm("a").command ?? assert.fail());
    await pool.settle();
    assert.deepEqual(states("a", "b"), ["DELETED", "RUNNING"]);
  });

  it("lets a smaller VM of the project pass a larger one that it has no room for", async () => {
    await pool.addHost("mac-1");
    await project("acme", { quota: { cpuCount: 4 } });
    await pool.create("large", { ...sized(5), project: "acme" });
    await pool.create("small", { ...sized(4), project: "acme" });
    assert.deepEqual(states("large", "small"), ["PENDING", "RUNNING"]);
  });

  it("below what is held already ends nothing, and says how far it is exceeded", async () => {
    await pool.addHost("mac-1");
    for (const name of ["a", "b"]) await pool.create(name, { ...sized(1), project: "acme" });
    await project("acme", { quota: { vms: 1 } });
    await pool.create("c", { ...sized(1), project: "acme" });
    assert.deepEqual(states("a", "b", "c"), ["RUNNING", "RUNNING", "PENDING"]);
    assert.match(pool.explain("c").summary, /project acme has 2 of 1 VMs$/);
    await pool.submit(vmWant("a", "deleted"));
    assert.equal(pool.vm("c").state, "PENDING");
    await pool.submit(vmWant("b", "deleted"));
    assert.equal(pool.vm("c").state, "RUNNING");
  });

  it("holds after a restart", async () => {
    await pool.addHost("mac-1");
    await project("acme", { quota: { vms: 1 } });
    for (const name of ["a", "b"]) await pool.create(name, { ...sized(1), project: "acme" });
    pool = await pool.restart();
    await pool.settle();
    assert.deepEqual(states("a", "b"), ["RUNNING", "PENDING"]);
    assert.match(pool.explain("b").summary, /project acme has 1 of 1 VMs/);
  });
});

describe("the bounds of a quota", () => {
  it("have room for as many VMs as can be added one by one", () => {
    const bound = fc.option(fc.nat(40), { nil: undefined });
    const amounts = { cpuCount: fc.nat(8), memoryMib: fc.nat(8), diskMib: fc.nat(8) };
    const quotas = fc.record({ vms: bound, cpuCount: bound, memoryMib: bound, diskMib: bound, macosSlots: bound });
    const held = fc.record({ ...amounts, vms: fc.nat(8), macosSlots: fc.nat(8) });
    fc.assert(
      fc.property(quotas, held, fc.record({ ...amounts }), fc.boolean(), (maybe, holding, resources, isMacos) => {
        const quota = Object.fromEntries(Object.entries(maybe).filter(([, most]) => most !== undefined));
        const ledger = Object.assign(new ProjectLedger(), holding);
        const shape = { resources, isMacos };
        const room = roomIn(quota, ledger, shape);
        let added = 0;
        while (added < 50 && brokenBound(quota, ledger, shape) === undefined) {
          added += 1;
          ledger.vms += 1;
          ledger.cpuCount += resources.cpuCount;
          ledger.memoryMib += resources.memoryMib;
          ledger.diskMib += resources.diskMib;
          ledger.macosSlots += Number(isMacos);
        }
        assert.equal(Math.min(50, room), added);
      }),
    );
  });
});
