import assert from "node:assert/strict";
import * as fc from "fast-check";
import { applyEvent } from "../../../../server/apply/apply-event.ts";
import { chooseHost } from "../../../../server/placement/place.ts";
import { PlacementPlanner } from "../../../../server/planners/waiting.ts";
import type { PoolEvent } from "../../../../server/pool/events.ts";
import { Pool } from "../../../../server/pool/pool.ts";
import { shapeOf } from "../../../../server/pool/shape.ts";
import type { VmRecord } from "../../../../server/pool/vm.ts";
import { isBefore } from "../../../../server/pool/waiting-queue.ts";
import { asHostId, asVmId, type HostId } from "../../../../shared/ids.ts";
import { CountingPool } from "../../../support/pool/counting-pool.ts";
import { hostConnected } from "../../../support/pool/hosts.ts";
import {
  applyStep,
  type PlacementStep,
  placementSteps,
  placementTemplates,
  planSteps,
} from "../../../support/pool/placement-history.ts";
import { sized, templateCreate, vmCreate } from "../../../support/pool/specs.ts";

const nowMs = 1_000_000;

function poolOf(hosts: number): { readonly pool: CountingPool; readonly planner: PlacementPlanner } {
  const pool = new CountingPool(0);
  applyEvent(pool, templateCreate("linux"), nowMs);
  for (let host = 0; host < hosts; host += 1) applyEvent(pool, hostConnected(`mac-${host}`), nowMs);
  return { pool, planner: new PlacementPlanner(pool) };
}

/** The next placement, found by looking at every VM that waits and at every host. */
function scan(pool: Pool): { readonly id: string; readonly host: HostId } | undefined {
  const placeOf = ({ id, spec, createTimeMs }: VmRecord) => ({ id, priority: spec.priority, createTimeMs });
  const queue = [...pool.waiting]
    .flatMap((id) => pool.vms.get(id) ?? [])
    .filter(({ retryAtMs }) => retryAtMs === undefined)
    .sort((a, b) => (isBefore(placeOf(a), placeOf(b)) ? -1 : 1));
  for (const vm of queue) {
    const host = chooseHost(pool, vm, { shape: shapeOf(vm), among: pool.hosts.values() });
    if (host !== undefined) return { id: vm.id, host };
  }
  return undefined;
}

/** Places what can be placed, each time what a scan of everything would place. Returns how many were placed. */
function placeAll(pool: Pool, planner: PlacementPlanner, timeMs: number): number {
  for (let placed = 0; ; placed += 1) {
    const expected = scan(pool);
    const placement = planner.next();
    assert.deepEqual(placement && { id: placement.id, host: placement.host }, expected);
    if (placement === undefined) return placed;
    assert.equal(applyEvent(pool, placement, timeMs), true);
  }
}

describe("the placement planner", () => {
  it("places what a scan of all VMs and all hosts would place, through any history", () => {
    fc.assert(
      fc.property(fc.array(placementSteps, { minLength: 20, maxLength: 120, size: "max" }), (steps) => {
        const pool = new Pool(0);
        const planner = new PlacementPlanner(pool);
        for (const template of placementTemplates) applyEvent(pool, template, nowMs);
        play(pool, planner, steps);
      }),
      { numRuns: 1500 },
    );
  }).timeout(30_000);

  it("looks only at hosts that have moved, once it has looked at all of them", () => {
    const { pool, planner } = poolOf(500);
    for (let vm = 0; vm < 100; vm += 1) applyEvent(pool, vmCreate(`vm-${vm}`), nowMs);
    const looksOfNext = () => {
      const before = pool.looks;
      const placement = planner.next();
      const looks = pool.looks - before;
      if (placement !== undefined) applyEvent(pool, placement, nowMs);
      return looks;
    };
    assert.equal(looksOfNext(), 500);
    for (let vm = 1; vm < 100; vm += 1) assert.ok(looksOfNext() <= 2);
    applyEvent(pool, vmCreate("late"), nowMs);
    assert.ok(looksOfNext() <= 2, "the ranking outlives those that waited");
  });

  it("looks at no other host for a VM that asks for one", () => {
    const { pool, planner } = poolOf(100);
    applyEvent(pool, vmCreate("a", { placement: { host: asHostId("mac-7") } }), nowMs);
    const before = pool.looks;
    assert.equal(planner.next()?.host, "mac-7");
    assert.equal(pool.looks - before, 1);
  });

  it("looks once at each host when many come back at once, however many VMs wait", () => {
    const { pool, planner } = poolOf(200);
    const disconnect = (id: HostId): PoolEvent => ({ type: "host-disconnected", id, epoch: 1 });
    for (const id of pool.hosts.keys()) applyEvent(pool, disconnect(id), nowMs);
    for (let vm = 0; vm < 150; vm += 1) applyEvent(pool, vmCreate(`vm-${vm}`), nowMs);
    assert.equal(planner.next(), undefined);
    for (const id of pool.hosts.keys()) applyEvent(pool, hostConnected(id), nowMs);
    let looks = 0;
    for (let placed = 0; placed < 150; placed += 1) {
      const before = pool.looks;
      const placement = planner.next() ?? assert.fail();
      looks += pool.looks - before;
      applyEvent(pool, placement, nowMs);
    }
    assert.ok(looks < 1000, `${looks} looks`);
  });

  it("gives the same answers when there are more kinds of VMs than it keeps hosts ranked for", () => {
    const { pool, planner } = poolOf(20);
    for (let vm = 0; vm < 100; vm += 1) applyEvent(pool, vmCreate(`vm-${vm}`, sized(1, 1000 + vm)), nowMs + (vm % 3));
    assert.ok(placeAll(pool, planner, nowMs) >= 80);
  });

  it("forgets a host that is gone", () => {
    const { pool, planner } = poolOf(2);
    for (const name of ["a", "b"]) applyEvent(pool, vmCreate(name, sized(12)), nowMs);
    const placement = planner.next() ?? assert.fail();
    assert.equal(placement.host, "mac-0");
    applyEvent(pool, placement, nowMs);
    pool.removeHost(asHostId("mac-1"));
    assert.equal(planner.next(), undefined);
  });

  it("returns to a host that has finished what it made", () => {
    const { pool, planner } = poolOf(2);
    const { id, generation, spec } = pool.hosts.get(asHostId("mac-0")) ?? assert.fail();
    const limits = { ...spec.limits, parallelCreates: 1 };
    applyEvent(pool, { type: "host-update", id, baseGeneration: generation, spec: { ...spec, limits } }, nowMs);
    for (const name of ["a", "b"]) applyEvent(pool, vmCreate(name), nowMs);
    assert.equal(placeAll(pool, planner, nowMs), 2);
    assert.deepEqual([hostOf(pool, "a"), hostOf(pool, "b")], ["mac-0", "mac-1"]);
    const a = pool.vms.get(asVmId("a")) ?? assert.fail();
    pool.putVm({ ...a, state: "RUNNING" });
    applyEvent(pool, vmCreate("c"), nowMs);
    assert.equal(placeAll(pool, planner, nowMs), 1);
    assert.equal(hostOf(pool, "c"), "mac-0");
  });

  it("places a VM that a host failed on another, and there only if there is no other", () => {
    const { pool, planner } = poolOf(2);
    applyEvent(pool, vmCreate("a"), nowMs);
    fail(pool, asVmId("a"), asHostId("mac-0"));
    assert.equal(planner.next()?.host, "mac-1");
    applyEvent(pool, { type: "host-disconnected", id: asHostId("mac-1"), epoch: 1 }, nowMs);
    assert.equal(planner.next()?.host, "mac-0");
  });
});

function hostOf(pool: Pool, name: string): string | undefined {
  return pool.vms.get(asVmId(name))?.host;
}

/** Leaves the VM waiting, as one that the host has failed. */
function fail(pool: Pool, id: VmRecord["id"], host: HostId): void {
  const vm = pool.vms.get(id) ?? assert.fail();
  pool.putVm({ ...vm, failure: { reason: "Test", message: "it failed", suspect: "host", host, timeMs: nowMs } });
}

function play(pool: Pool, planner: PlacementPlanner, steps: readonly PlacementStep[]): void {
  let timeMs = nowMs;
  for (const [index, step] of steps.entries()) {
    timeMs += step.waitMs;
    applyStep(pool, step, { index, timeMs });
    if (!step.isPlanned) continue;
    while (pool.dirtyVms.size > 0) {
      planSteps(pool, timeMs);
      placeAll(pool, planner, timeMs);
    }
    placeAll(pool, planner, timeMs);
  }
}
