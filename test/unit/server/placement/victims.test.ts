import assert from "node:assert/strict";
import * as fc from "fast-check";
import { applyEvent } from "../../../../server/apply/apply-event.ts";
import { compareVictims, victimsOn } from "../../../../server/placement/victims.ts";
import { exactVictimsMax } from "../../../../server/pool/limits.ts";
import { Pool } from "../../../../server/pool/pool.ts";
import { shapeOf } from "../../../../server/pool/shape.ts";
import type { VmRecord } from "../../../../server/pool/vm.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";
import { hostConnected, hostFacts, hostUse } from "../../../support/pool/hosts.ts";
import { defaultTemplate, sized, templateCreate, vmCreate } from "../../../support/pool/specs.ts";

const mac = asHostId("mac-1");
const totalCpus = 48;

/** What stands on the host, and what waits. */
interface Scene {
  readonly there: readonly {
    readonly cpuCount: number;
    readonly priority: number;
    readonly isPreemptible: boolean;
    readonly ageMs: number;
  }[];
  readonly cpuCount: number;
  readonly priority: number;
}

function scenes(countMax: number): fc.Arbitrary<Scene> {
  return fc.record({
    there: fc.array(
      fc.record({
        cpuCount: fc.integer({ min: 1, max: 9 }),
        priority: fc.constantFrom(10, 20, 50, 60),
        isPreemptible: fc.constantFrom(true, true, true, false),
        ageMs: fc.nat(5),
      }),
      { minLength: 1, maxLength: countMax, size: "max" },
    ),
    cpuCount: fc.integer({ min: 1, max: 40 }),
    priority: fc.constantFrom(20, 50, 90),
  });
}

function build(scene: Scene): { readonly pool: Pool; readonly vm: VmRecord; readonly there: readonly VmRecord[] } {
  const pool = new Pool(0);
  applyEvent(pool, templateCreate(defaultTemplate), 0);
  const total = { cpuCount: totalCpus, memoryMib: 1_000_000, diskMib: 10_000_000 };
  const use = hostUse({ diskFreeMib: 10_000_000 });
  applyEvent(pool, hostConnected(mac, { facts: hostFacts({ total }), use }), 0);
  const host = pool.hosts.get(mac) ?? assert.fail();
  const spec = { ...host.spec, limits: { ...host.spec.limits, parallelCreates: 100 } };
  applyEvent(pool, { type: "host-update", id: mac, baseGeneration: host.generation, spec }, 0);
  for (const [index, each] of scene.there.entries()) {
    const { cpuCount, priority, isPreemptible, ageMs } = each;
    const name = `vm-${String(index).padStart(2, "0")}`;
    const mark = isPreemptible ? ({ preemptible: true } as const) : {};
    applyEvent(pool, vmCreate(name, { ...sized(cpuCount, 1024, 1024), priority, ...mark }), 1000 - ageMs);
    applyEvent(pool, { type: "vm-placed", id: asVmId(name), host: mac }, 1000);
  }
  applyEvent(pool, vmCreate("waiter", { ...sized(scene.cpuCount, 1024, 1024), priority: scene.priority }), 1000);
  const there = [...pool.vmsOn(mac)].map((id) => pool.vms.get(id) ?? assert.fail());
  return { pool, vm: pool.vms.get(asVmId("waiter")) ?? assert.fail(), there };
}

const cpusOf = (vms: readonly VmRecord[]): number => vms.reduce((sum, { resources }) => sum + resources.cpuCount, 0);

/** Worked out anew: whether the VM fits once these have gone. */
function fitsWithout(there: readonly VmRecord[], gone: readonly VmRecord[], vm: VmRecord): boolean {
  return cpusOf(there) - cpusOf(gone) + vm.resources.cpuCount <= totalCpus;
}

function subsets(of: readonly VmRecord[]): readonly (readonly VmRecord[])[] {
  return of.reduce<readonly (readonly VmRecord[])[]>(
    (all, each) => [...all, ...all.map((set) => [...set, each])],
    [[]],
  );
}

/** What a set of victims costs, to be compared from the left: how many, then their priorities, the highest first, then ages. */
function costOf(vms: readonly VmRecord[]): readonly number[] {
  const sorted = [...vms].sort(compareVictims).reverse();
  return [vms.length, ...sorted.map(({ spec }) => spec.priority), ...sorted.map((vm) => -vm.createTimeMs)];
}

function compareCosts(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index < 0 ? 0 : (a[index] ?? 0) - (b[index] ?? 0);
}

describe("victims", () => {
  it("are marked and less urgent, do, and none of them could stay, however many stand there", () => {
    let seen = 0;
    fc.assert(
      fc.property(scenes(30), (scene) => {
        const { pool, vm, there } = build(scene);
        const victims = victimsOn(pool, { vm, shape: shapeOf(vm) }, mac);
        const may = there.filter(({ spec }) => spec.preemptible === true && spec.priority < vm.spec.priority);
        assert.equal(victims !== undefined, fitsWithout(there, may, vm));
        if (victims === undefined) return;
        assert.ok(victims.every((victim) => may.includes(victim)));
        assert.ok(fitsWithout(there, victims, vm));
        for (const spared of victims) {
          const others = victims.filter((each) => each !== spared);
          assert.ok(!fitsWithout(there, others, vm), `${spared.id} could stay`);
        }
        if (victims.length > 0) seen += 1;
      }),
      { numRuns: 500 },
    );
    assert.ok(seen > 50, `only ${seen} scenes had victims`);
  });

  it("are the fewest, then the least important, then the youngest, where few come into question", () => {
    let several = 0;
    fc.assert(
      fc.property(scenes(exactVictimsMax), (scene) => {
        const { pool, vm, there } = build(scene);
        const victims = victimsOn(pool, { vm, shape: shapeOf(vm) }, mac);
        const may = there.filter(({ spec }) => spec.preemptible === true && spec.priority < vm.spec.priority);
        const costs = subsets(may)
          .filter((set) => fitsWithout(there, set, vm))
          .map(costOf)
          .sort(compareCosts);
        assert.deepEqual(victims && costOf(victims), costs[0]);
        if ((victims?.length ?? 0) > 1) several += 1;
      }),
      { numRuns: 200 },
    );
    assert.ok(several > 10, `only ${several} scenes had several victims`);
  });
});
