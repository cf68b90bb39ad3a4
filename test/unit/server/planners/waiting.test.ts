import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { applyEvent } from "../../../../server/apply/apply-event.ts";
import { refusalOn } from "../../../../server/placement/filters.ts";
import { chooseHost } from "../../../../server/placement/place.ts";
import { PlacementPlanner } from "../../../../server/planners/waiting.ts";
import type { PoolEvent } from "../../../../server/pool/events.ts";
import type { HostLedger } from "../../../../server/pool/ledger.ts";
import { Pool } from "../../../../server/pool/pool.ts";
import { shapeOf } from "../../../../server/pool/shape.ts";
import type { VmRecord } from "../../../../server/pool/vm.ts";
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
import { settingsUpdate, sized, templateCreate, vmCreate } from "../../../support/pool/specs.ts";

const nowMs = 1_000_000;

function poolOf(hosts: number): { readonly pool: CountingPool; readonly planner: PlacementPlanner } {
  const pool = new CountingPool(0);
  applyEvent(pool, templateCreate("linux"), nowMs);
  for (let host = 0; host < hosts; host += 1) applyEvent(pool, hostConnected(`mac-${host}`), nowMs);
  return { pool, planner: new PlacementPlanner(pool) };
}

interface Past {
  /** When a VM of a lane was last placed, by `laneOf`. */
  readonly served: Map<string, number>;
  /** The number of the last placement of a project. */
  readonly turns: Map<string, number>;
  count: number;
}

function newPast(): Past {
  return { served: new Map(), turns: new Map(), count: 0 };
}

/**
 * The next placement, found by looking at every VM that waits, in the words of `docs/placement.md`, and at every host.
 * @param past what was placed before.
 */
function scan(pool: Pool, timeMs: number, past: Past): { readonly id: string; readonly host: HostId } | undefined {
  const { priorityStepMs, passedOverMaxMs } = pool.queue.settings;
  // In ms, whose sums are exact: two that have grown alike are alike.
  const grown = ({ spec, createTimeMs }: VmRecord): number => spec.priority * priorityStepMs + timeMs - createTimeMs;
  const placeable = [...pool.waiting]
    .flatMap((id) => pool.vms.get(id) ?? [])
    .filter((vm) => vm.retryAtMs === undefined && !isOverQuota(pool, vm))
    .flatMap((vm) => {
      const host = chooseHost(pool, vm, { shape: shapeOf(vm), among: pool.hosts.values() });
      return host === undefined ? [] : [{ vm, host }];
    })
    .sort((a, b) => grown(b.vm) - grown(a.vm) || a.vm.createTimeMs - b.vm.createTimeMs || (a.vm.id < b.vm.id ? -1 : 1));
  const answer = (found: (typeof placeable)[number] | undefined) =>
    found && { id: found.vm.id as string, host: found.host };

  // What was passed over for too long, the longest first.
  const heads = placeable.filter(({ vm }, index) => placeable.findIndex((o) => laneOf(o.vm) === laneOf(vm)) === index);
  const passedOver = ({ vm }: (typeof heads)[number]): number =>
    Math.min(grown(vm), vm.spec.priority * priorityStepMs + timeMs - (past.served.get(laneOf(vm)) ?? 0));
  const tooLong = heads
    .filter((head) => passedOver(head) - 100 * priorityStepMs >= passedOverMaxMs)
    .sort((a, b) => passedOver(b) - passedOver(a));
  if (tooLong[0] !== undefined) return answer(tooLong[0]);

  // Of the projects with a VM that has grown to the highest priority that waits, the one that holds least for its weight.
  const highest = Math.max(...placeable.map(({ vm }) => vm.spec.priority));
  const projects = [...new Set(placeable.map(({ vm }) => vm.spec.project))];
  const firsts = projects
    .flatMap((project) => placeable.find(({ vm }) => vm.spec.project === project) ?? [])
    .filter(({ vm }) => grown(vm) >= highest * priorityStepMs);
  const least = Math.min(...firsts.map(({ vm }) => shareOf(pool, vm.spec.project)));
  const fair = firsts.filter(({ vm }) => shareOf(pool, vm.spec.project) === least);
  // Of those that hold alike, the one whose turn is the longest ago.
  const longest = Math.min(...fair.map(({ vm }) => past.turns.get(vm.spec.project) ?? 0));
  const longAgo = new Set(fair.filter(({ vm }) => (past.turns.get(vm.spec.project) ?? 0) === longest));
  return answer(placeable.find((each) => longAgo.has(each)));
}

function laneOf(vm: VmRecord): string {
  return `${vm.spec.project} ${shapeOf(vm).key}`;
}

function heldBy(pool: Pool, project?: string) {
  const held = [...pool.vms.values()].filter(
    (vm) => (project === undefined || vm.spec.project === project) && (vm.host !== undefined || isPromised(vm)),
  );
  const sum = (amount: (vm: VmRecord) => number): number => held.reduce((total, vm) => total + amount(vm), 0);
  return {
    vms: held.length,
    cpuCount: sum(({ resources }) => resources.cpuCount),
    memoryMib: sum(({ resources }) => resources.memoryMib),
    macosSlots: sum(({ image }) => (image.guestOs === "macos" ? 1 : 0)),
  };
}

/** Whether others give way for it. */
function isPromised({ state, spec, reservation }: VmRecord): boolean {
  return state === "PENDING" && spec.wanted !== "deleted" && reservation?.noticeEndMs !== undefined;
}

/** What is promised to it counts already. */
function isOverQuota(pool: Pool, vm: VmRecord): boolean {
  const { spec, resources } = vm;
  const { vms, cpuCount } = pool.projects.get(spec.project)?.spec.quota ?? {};
  const held = heldBy(pool, spec.project);
  const more = isPromised(vm) ? 0 : 1;
  return (
    held.vms + more > (vms ?? Number.POSITIVE_INFINITY) ||
    held.cpuCount + more * resources.cpuCount > (cpuCount ?? Number.POSITIVE_INFINITY)
  );
}

/** What the project holds of what it holds most of, with half of an average VM, for its weight. */
function shareOf(pool: Pool, project: string): number {
  const held = heldBy(pool, project);
  const everyone = heldBy(pool);
  const ledgers = [...pool.hosts.keys()].map((id) => pool.ledger(id));
  const part = (amount: "cpuCount" | "memoryMib" | "macosSlots", capacity: (ledger: HostLedger) => number): number => {
    const all = ledgers.reduce((total, ledger) => total + capacity(ledger), 0);
    return (held[amount] + everyone[amount] / (2 * Math.max(1, everyone.vms))) / Math.max(1, all);
  };
  const share = Math.max(
    part("cpuCount", ({ cpuCapacity }) => cpuCapacity),
    part("memoryMib", ({ memoryCapacityMib }) => memoryCapacityMib),
    part("macosSlots", ({ macosSlots }) => macosSlots),
  );
  return share / (pool.projects.get(project)?.spec.weight ?? 1);
}

/** Places what can be placed, each time what a scan of everything would place. Returns how many were placed. */
function placeAll(
  pool: Pool,
  planner: PlacementPlanner,
  { timeMs, past = newPast() }: { readonly timeMs: number; readonly past?: Past },
): number {
  for (let placed = 0; ; placed += 1) {
    const lanes = new Set(
      [...pool.waiting]
        .flatMap((id) => pool.vms.get(id) ?? [])
        .filter(isQueued)
        .map(laneOf),
    );
    // A lane without VMs is forgotten.
    for (const lane of past.served.keys()) if (!lanes.has(lane)) past.served.delete(lane);
    const kept = keptRoom(pool);
    const expected = scan(pool, timeMs, past);
    const decision = planner.next(timeMs);
    if (decision?.type === "vm-reserved") {
      // Room is kept for nobody before all that fits has been placed; it is given back at once.
      if (decision.host !== undefined) assert.deepEqual([kept, expected], [[], undefined]);
      assert.equal(applyEvent(pool, decision, timeMs), true);
      placed -= 1;
      continue;
    }
    if (decision?.type === "vm-preempting" || decision?.type === "vm-spared") {
      // Nobody has to give way for one that fits somewhere.
      if (decision.type === "vm-preempting") assert.deepEqual([kept, expected], [[], undefined]);
      assert.equal(applyEvent(pool, decision, timeMs), true);
      placed -= 1;
      continue;
    }
    const answer = decision && { id: decision.id as string, host: decision.host };
    if (kept.length > 0) assert.ok(kept.some((each) => isDeepStrictEqual(each, answer)));
    else assert.deepEqual(answer, expected);
    if (decision === undefined) return placed;
    const vm = pool.vms.get(decision.id) ?? assert.fail();
    assert.equal(applyEvent(pool, decision, timeMs), true);
    past.served.set(laneOf(vm), timeMs);
    past.count += 1;
    past.turns.set(vm.spec.project, past.count);
  }
}

/** The first VMs of lanes for which a host keeps its room, and has it now. */
function keptRoom(pool: Pool): readonly { readonly id: string; readonly host: HostId }[] {
  const step = pool.queue.settings.priorityStepMs;
  const queued = [...pool.waiting].flatMap((id) => pool.vms.get(id) ?? []).filter(isQueued);
  const rank = ({ spec, createTimeMs }: VmRecord): number => createTimeMs - spec.priority * step;
  queued.sort((a, b) => rank(a) - rank(b) || a.createTimeMs - b.createTimeMs || (a.id < b.id ? -1 : 1));
  return queued.flatMap((vm) => {
    const { host } = vm.reservation ?? {};
    if (host === undefined || isOverQuota(pool, vm)) return [];
    const first = isPromised(vm) ? vm : (queued.find((other) => laneOf(other) === laneOf(vm)) ?? vm);
    return refusalOn(pool, host, shapeOf(vm)) === undefined ? [{ id: first.id, host }] : [];
  });
}

function isQueued({ retryAtMs }: VmRecord): boolean {
  return retryAtMs === undefined;
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
      const placement = planner.next(nowMs);
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
    assert.equal(planner.next(nowMs)?.host, "mac-7");
    assert.equal(pool.looks - before, 1);
  });

  it("looks once at each host when many come back at once, however many VMs wait", () => {
    const { pool, planner } = poolOf(200);
    const disconnect = (id: HostId): PoolEvent => ({ type: "host-disconnected", id, epoch: 1 });
    for (const id of pool.hosts.keys()) applyEvent(pool, disconnect(id), nowMs);
    for (let vm = 0; vm < 150; vm += 1) applyEvent(pool, vmCreate(`vm-${vm}`), nowMs);
    assert.equal(planner.next(nowMs), undefined);
    for (const id of pool.hosts.keys()) applyEvent(pool, hostConnected(id), nowMs);
    let looks = 0;
    for (let placed = 0; placed < 150; placed += 1) {
      const before = pool.looks;
      const placement = planner.next(nowMs) ?? assert.fail();
      looks += pool.looks - before;
      applyEvent(pool, placement, nowMs);
    }
    assert.ok(looks < 1000, `${looks} looks`);
  });

  it("gives the same answers when there are more kinds of VMs than it keeps hosts ranked for", () => {
    const { pool, planner } = poolOf(20);
    for (let vm = 0; vm < 100; vm += 1)
      applyEvent(pool, vmCreate(`vm-${vm}`, sized(1, 1000 + vm)), nowMs - 3 + (vm % 3));
    assert.ok(placeAll(pool, planner, { timeMs: nowMs }) >= 80);
  });

  it("forgets a host that is gone", () => {
    const { pool, planner } = poolOf(2);
    for (const name of ["a", "b"]) applyEvent(pool, vmCreate(name, sized(12)), nowMs);
    const placement = planner.next(nowMs) ?? assert.fail();
    assert.equal(placement.host, "mac-0");
    applyEvent(pool, placement, nowMs);
    pool.removeHost(asHostId("mac-1"));
    assert.equal(planner.next(nowMs), undefined);
  });

  it("returns to a host that has finished what it made", () => {
    const { pool, planner } = poolOf(2);
    const { id, generation, spec } = pool.hosts.get(asHostId("mac-0")) ?? assert.fail();
    const limits = { ...spec.limits, parallelCreates: 1 };
    applyEvent(pool, { type: "host-update", id, baseGeneration: generation, spec: { ...spec, limits } }, nowMs);
    for (const name of ["a", "b"]) applyEvent(pool, vmCreate(name), nowMs);
    assert.equal(placeAll(pool, planner, { timeMs: nowMs }), 2);
    assert.deepEqual([hostOf(pool, "a"), hostOf(pool, "b")], ["mac-0", "mac-1"]);
    const a = pool.vms.get(asVmId("a")) ?? assert.fail();
    pool.putVm({ ...a, state: "RUNNING" });
    applyEvent(pool, vmCreate("c"), nowMs);
    assert.equal(placeAll(pool, planner, { timeMs: nowMs }), 1);
    assert.equal(hostOf(pool, "c"), "mac-0");
  });

  it("follows another step of priority at once, also in the line", () => {
    const { pool, planner } = poolOf(1);
    applyEvent(pool, vmCreate("patient", { priority: 50 }), nowMs);
    const laterMs = nowMs + 60_000;
    applyEvent(pool, vmCreate("urgent", { priority: 52 }), laterMs);
    assert.equal(pool.queuePosition(asVmId("urgent")), 1);
    applyEvent(pool, settingsUpdate({ queue: { priorityStepMs: 10_000 } }, 0), laterMs);
    assert.equal(pool.queuePosition(asVmId("urgent")), 2);
    assert.equal(planner.next(laterMs)?.id, "patient");
    applyEvent(pool, settingsUpdate({ queue: { priorityStepMs: 31_000 } }, 1), laterMs);
    assert.equal(planner.next(laterMs)?.id, "urgent");
  });

  it("does not let a VM that fits nowhere say how high a priority has to grow", () => {
    const { pool, planner } = poolOf(1);
    const stepMs = pool.queue.settings.priorityStepMs;
    applyEvent(pool, vmCreate("of-huge", { ...sized(2), project: "huge" }), nowMs);
    applyEvent(pool, vmCreate("of-middling", { ...sized(1), project: "middling" }), nowMs);
    assert.equal(placeAll(pool, planner, { timeMs: nowMs }), 2);
    applyEvent(pool, vmCreate("patient", { ...sized(1), project: "middling" }), nowMs);
    const laterMs = nowMs + 50 * stepMs;
    applyEvent(pool, vmCreate("hopeless", { ...sized(64), project: "huge", priority: 100 }), laterMs);
    applyEvent(pool, vmCreate("fair", { ...sized(1), project: "small" }), laterMs);
    assert.equal(planner.next(laterMs)?.id, "fair");
  });

  it("places a VM that a host failed on another, and there only if there is no other", () => {
    const { pool, planner } = poolOf(2);
    applyEvent(pool, vmCreate("a"), nowMs);
    fail(pool, asVmId("a"), asHostId("mac-0"));
    assert.equal(planner.next(nowMs)?.host, "mac-1");
    applyEvent(pool, { type: "host-disconnected", id: asHostId("mac-1"), epoch: 1 }, nowMs);
    assert.equal(planner.next(nowMs)?.host, "mac-0");
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
  const past = newPast();
  for (const [index, step] of steps.entries()) {
    timeMs += step.waitMs;
    applyStep(pool, step, { index, timeMs });
    if (!step.isPlanned) continue;
    while (pool.dirtyVms.size > 0) {
      planSteps(pool, timeMs);
      placeAll(pool, planner, { timeMs, past });
    }
    placeAll(pool, planner, { timeMs, past });
  }
}
