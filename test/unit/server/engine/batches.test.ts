import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { VmBatch, VmBatchCreate } from "../../../../server/pool/events/vms.ts";
import { asHostId, asProjectId } from "../../../../shared/ids.ts";
import { checkPool } from "../../../support/pool/pool-check.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failForGood } from "../../../support/pool/scripted-host.ts";
import { sized, templateCreate, uidFor, type VmSpecFields, vmCreate, vmWant } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

function batch(
  fit: VmBatchCreate["fit"],
  specs: readonly VmSpecFields[],
  fields: Partial<VmBatchCreate> = {},
): VmBatchCreate {
  const vms = specs.map((spec, index) => vmCreate(`b-${index}`, spec));
  return { type: "vm-batch-create", vms, fit, ...fields };
}

const alike = (count: number, spec: VmSpecFields): readonly VmSpecFields[] => Array.from({ length: count }, () => spec);
const states = ({ vms }: VmBatch): readonly string[] => vms.map(({ state }) => state);

describe("a batch of VMs", () => {
  it("that may wait is accepted as a whole, in one revision, and placed as far as it fits", async () => {
    await pool.addHost("mac-1");
    const before = pool.view().revision;
    const reply = await pool.engine.submit(batch("wait", alike(4, sized(4))));
    assert.deepEqual(states(reply), ["PENDING", "PENDING", "PENDING", "PENDING"]);
    const made = pool.batches.filter(({ changes }) => changes.some(({ kind }) => kind === "vm"));
    assert.equal(made[0]?.changes.filter(({ kind, before: old }) => kind === "vm" && old === undefined).length, 4);
    assert.equal(made[0]?.revision, before + 1);
    await pool.settle();
    const now = reply.vms.map(({ id }) => pool.vm(id).state);
    assert.deepEqual(now, ["RUNNING", "RUNNING", "RUNNING", "PENDING"]);
  });

  it("that is wanted all or none is placed at once", async () => {
    await pool.addHost("mac-1");
    await pool.addHost("mac-2");
    const reply = await pool.engine.submit(batch("all", alike(6, sized(4))));
    assert.deepEqual(
      states(reply),
      alike(6, {}).map(() => "PLACED"),
    );
    assert.equal(reply.refusedCount, 0);
    await pool.settle();
    for (const { id } of reply.vms) assert.equal(pool.vm(id).state, "RUNNING");
  });

  it("of which one does not fit is refused as a whole when all are wanted, and leaves nothing", async () => {
    await pool.addHost("mac-1");
    const revision = pool.view().revision;
    const error = await pool.refuses(batch("all", alike(4, sized(4))), "NO_ROOM");
    assert.match(error.message, /^3 of 4 VMs fit now, and all were asked for: 1 host has too few CPUs free;/);
    assert.deepEqual(error.options.metadata, { count: "4", fit: "3" });
    assert.equal(pool.view().vms.size, 0);
    assert.equal(pool.view().revision, revision);
  });

  it("is taken as far as it fits, in order, when any are wanted, and says why not the others", async () => {
    await pool.addHost("mac-1");
    const reply = await pool.submit(batch("any", [sized(8), sized(8), sized(4)]));
    assert.deepEqual(
      reply.vms.map(({ id }) => id),
      ["b-0", "b-2"],
    );
    assert.equal(reply.refusedCount, 1);
    assert.equal(reply.refusal, "1 host has too few CPUs free");
    assert.equal(pool.view().waiting.size, 0);
    const none = await pool.submit(batch("any", [sized(8)], { vms: [vmCreate("late", sized(8))] }));
    assert.deepEqual([none.vms, none.refusedCount], [[], 1]);
  });

  it("stays within its project's quota", async () => {
    await pool.addHost("mac-1");
    const spec = { displayName: "", weight: 1, quota: { vms: 2 }, labels: {} };
    await pool.submit({ type: "project-create", id: asProjectId("acme"), uid: uidFor("acme"), spec });
    const reply = await pool.submit(batch("any", alike(3, { ...sized(1), project: "acme" })));
    assert.deepEqual([reply.vms.length, reply.refusal], [2, "project acme has 2 of 2 VMs"]);
    const error = await pool.refuses(
      batch("all", [], { vms: [vmCreate("late", { ...sized(1), project: "acme" })] }),
      "NO_ROOM",
    );
    assert.match(error.message, /project acme has 2 of 2 VMs/);
  });

  it("leaves VMs that wait and fit their place, which they take first", async () => {
    await pool.addHost("mac-1");
    await pool.changeHost("mac-1", { schedulable: false });
    await pool.create("earlier", sized(10));
    const { id, generation, spec } = pool.view().hosts.get(asHostId("mac-1")) ?? assert.fail();
    const uncordon = pool.engine.submit({
      type: "host-update",
      id,
      baseGeneration: generation,
      spec: { ...spec, schedulable: true },
    });
    // In the same moment: nothing has been planned in between.
    const reply = await pool.engine.submit(batch("any", alike(2, sized(2))));
    await uncordon;
    await pool.settle();
    assert.equal(reply.vms.length, 1);
    assert.equal(pool.vm("earlier").state, "RUNNING");
  });

  it("is not what a host in quarantine is tried with", async () => {
    const host = await pool.addHost("mac-1");
    await pool.addHost("mac-2");
    const here = { placement: { host: asHostId("mac-1") } };
    host.always("create", failForGood);
    for (const name of ["x", "y", "z"]) await pool.create(name, here);
    const { quarantine } = pool.view().hosts.get(asHostId("mac-1"))?.trouble ?? assert.fail();
    await pool.advance((quarantine?.untilMs ?? assert.fail()) - pool.engine.nowMs() + 1000);
    assert.equal(pool.plan(here).fitNow, 1, "it may be tried with one");
    const reply = await pool.submit(batch("any", alike(2, { ...sized(1), ...here })));
    assert.deepEqual([reply.vms.length, reply.refusedCount], [0, 2]);
  });

  it("answers the same request again with what it made", async () => {
    await pool.addHost("mac-1");
    const request = { id: "BatchCreateVms/r", fingerprint: "f" };
    const first = await pool.submit(batch("any", alike(4, sized(4)), { request }));
    const other = alike(4, sized(4)).map((spec, index) =>
      vmCreate(`c-${index}`, { ...spec, uid: uidFor(`c${index}`) }),
    );
    const again = await pool.submit(batch("any", [], { request, vms: other }));
    assert.deepEqual(
      again.vms.map(({ uid }) => uid),
      first.vms.map(({ uid }) => uid),
    );
    assert.equal(again.refusedCount, 1);
    await pool.refuses(batch("any", [sized(1)], { request: { ...request, fingerprint: "g" } }), "REQUEST_ID_REUSED");
    pool = await pool.restart();
    assert.equal((await pool.submit(batch("any", [], { request, vms: other }))).vms.length, 3);
  });

  it("is refused as a whole for a name that is taken, or asked for twice, or a template that is not there", async () => {
    await pool.addHost("mac-1");
    await pool.create("b-1");
    await pool.refuses(batch("wait", alike(2, {})), "RESOURCE_EXISTS");
    await pool.refuses(batch("wait", [], { vms: [vmCreate("c"), vmCreate("c")] }), "FIELD_INVALID");
    const { id } = templateCreate("absent");
    await pool.refuses(
      batch("wait", [{}], { vms: [vmCreate("c"), vmCreate("d", { template: id })] }),
      "RESOURCE_NOT_FOUND",
    );
    assert.equal(pool.view().vms.size, 1);
  });

  it("takes the names of deleted VMs", async () => {
    await pool.addHost("mac-1");
    await pool.create("b-0");
    await pool.submit(vmWant("b-0", "deleted"));
    const reply = await pool.submit(
      batch("all", alike(1, { ...sized(1) }), { vms: [vmCreate("b-0", { uid: uidFor("new") })] }),
    );
    assert.deepEqual(states(reply), ["PLACED"]);
  });
});

describe("batches of any VMs", () => {
  const wish = fc.record({
    cpuCount: fc.integer({ min: 1, max: 13 }),
    isMacos: fc.boolean(),
    spread: fc.constantFrom("pack", "spread"),
    host: fc.constantFrom(undefined, undefined, undefined, "mac-0"),
    build: fc.constantFrom("red", "blue"),
  });

  it("are placed as one after the other would be, and never beyond what is there", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(wish, { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 4 }),
        async (wishes, hosts) => {
          const one = await PoolDriver.open();
          const other = await PoolDriver.open();
          for (const driver of [one, other]) {
            await driver.submit(templateCreate("macos", { guestOs: "macos" }));
            for (let host = 0; host < hosts; host += 1) await driver.addHost(`mac-${host}`);
          }
          const specs = wishes.map(({ cpuCount, isMacos, spread, host, build }) => ({
            ...sized(cpuCount),
            ...(isMacos ? { template: templateCreate("macos").id } : {}),
            labels: { build },
            placement: {
              strategy: spread,
              spreadKey: "build",
              ...(host === undefined ? {} : { host: asHostId(host) }),
            },
          }));
          const reply = await one.engine.submit(batch("any", specs));
          checkPool(one.view());
          // One by one, each alone in a batch.
          const singly: string[] = [];
          for (const [index, spec] of specs.entries()) {
            const vm = vmCreate(`b-${index}`, spec);
            for (const { vms } of [await other.engine.submit(batch("any", [], { vms: [vm] }))]) {
              singly.push(...vms.map(({ id, host }) => `${id} ${host}`));
            }
          }
          if (specs.length <= 4) {
            assert.deepEqual(
              reply.vms.map(({ id, host }) => `${id} ${host}`),
              singly,
            );
          }
          assert.equal(reply.vms.length + reply.refusedCount, specs.length);
          for (const { state } of reply.vms) assert.equal(state, "PLACED");
          await one.close();
          await other.close();
        },
      ),
      { numRuns: 150 },
    );
  }).timeout(30_000);
});
