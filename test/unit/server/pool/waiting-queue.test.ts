import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { QueueSettings } from "../../../../server/pool/settings/queue.ts";
import { defaultSettings } from "../../../../server/pool/settings/settings.ts";
import type { Shape } from "../../../../server/pool/shape.ts";
import { WaitingQueue } from "../../../../server/pool/waiting-queue.ts";
import type { WaitingVm } from "../../../../server/pool/waiting-vm.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";

const host = asHostId("mac-1");
const stepMs = 1000;
const settings: QueueSettings = { ...defaultSettings.queue, priorityStepMs: stepMs, passedOverMaxMs: 50_000 };
/** Everything has waited for some time by then, and nothing for too long. */
const nowMs = 1_000_000;

function shape(key: string, fields: Partial<Shape> = {}): Shape {
  const resources = { cpuCount: 1, memoryMib: 1, diskMib: 1 };
  return { key, architecture: "arm64", resources, isMacos: false, required: [], ...fields };
}

function waiting(id: string, fields: Partial<WaitingVm> = {}): WaitingVm {
  const place = { id: asVmId(id), project: "default", priority: 50, createTimeMs: nowMs - 100, ...fields };
  return { ...place, agedTimeMs: place.createTimeMs - place.priority * stepMs };
}

function queueOf(vms: readonly (readonly [WaitingVm, string])[] = []): WaitingQueue {
  const queue = new WaitingQueue(settings);
  for (const [vm, key] of vms) queue.add(vm, shape(key));
  return queue;
}

/** Takes out everything that may have a host, in the order in which it would be placed, while nobody holds anything. */
function drain(queue: WaitingQueue, atMs = nowMs): readonly string[] {
  const order: string[] = [];
  for (;;) {
    const id = queue.next(atMs, () => 0)?.first?.id;
    if (id === undefined) return order;
    order.push(id);
    queue.remove(id);
  }
}

function park(queue: WaitingQueue): void {
  queue.park(queue.next(nowMs, () => 0)?.group ?? assert.fail());
}

describe("the waiting queue", () => {
  it("gives VMs by priority, then by age, then by name, across shapes", () => {
    const queue = queueOf([
      [waiting("late", { createTimeMs: nowMs - 1 }), "a"],
      [waiting("b-early", { createTimeMs: nowMs - 2 }), "a"],
      [waiting("a-early", { createTimeMs: nowMs - 2 }), "b"],
      [waiting("urgent", { priority: 90, createTimeMs: nowMs }), "c"],
    ]);
    assert.deepEqual(drain(queue), ["urgent", "a-early", "b-early", "late"]);
  });

  it("lets a VM that has waited for a step go as one of the next priority", () => {
    const queue = queueOf([
      [waiting("younger", { priority: 51, createTimeMs: nowMs - 1 }), "a"],
      [waiting("older", { priority: 50, createTimeMs: nowMs - 1 - stepMs - 1 }), "b"],
      [waiting("not-quite", { priority: 50, createTimeMs: nowMs - 1 - stepMs + 1 }), "c"],
    ]);
    assert.deepEqual(drain(queue), ["older", "younger", "not-quite"]);
  });

  it("does not look at a parked shape again, nor at those that join it, until a host changes", () => {
    const queue = queueOf([[waiting("a"), "a"]]);
    park(queue);
    queue.add(waiting("b"), shape("a"));
    queue.add(waiting("c", { project: "other" }), shape("a"));
    assert.deepEqual(drain(queue), []);
    queue.wake(host);
    assert.deepEqual([...(queue.next(nowMs, () => 0)?.group.changedHosts ?? [])], [host]);
    assert.deepEqual(drain(queue), ["a", "b", "c"]);
  });

  it("looks at every shape anew, at all hosts, when anything may fit anywhere now", () => {
    const queue = queueOf();
    for (const key of ["a", "b"]) {
      queue.add(waiting(key), shape(key));
      park(queue);
    }
    queue.wake(host);
    queue.wakeAll();
    assert.deepEqual(
      ["a", "b"].map((id) => queue.lane(asVmId(id))?.group).map((group) => [group?.isParked, group?.changedHosts.size]),
      [
        [false, 0],
        [false, 0],
      ],
    );
    assert.deepEqual(drain(queue), ["a", "b"]);
  });

  it("remembers a host that changed while the first of a shape was elsewhere", () => {
    const queue = queueOf([
      [waiting("a", { createTimeMs: nowMs - 5 }), "a"],
      [waiting("b", { createTimeMs: nowMs - 4 }), "a"],
    ]);
    park(queue);
    queue.wake(host);
    queue.remove(asVmId("a"));
    queue.add(waiting("c", { createTimeMs: nowMs - 3 }), shape("a"));
    assert.deepEqual([...(queue.next(nowMs, () => 0)?.group.changedHosts ?? [])], [host]);
    assert.deepEqual(drain(queue), ["b", "c"]);
  });

  it("does not wake a shape that only another host can serve", () => {
    const queue = queueOf();
    queue.add(waiting("a"), shape("a", { host: asHostId("mac-2") }));
    park(queue);
    queue.wake(host);
    assert.deepEqual(drain(queue), []);
    queue.wake(asHostId("mac-2"));
    assert.deepEqual(drain(queue), ["a"]);
  });

  it("moves a VM that is added again under another shape", () => {
    const queue = queueOf([
      [waiting("a"), "a"],
      [waiting("a"), "b"],
    ]);
    assert.equal(queue.lane(asVmId("a"))?.group.shape.key, "b");
    assert.deepEqual(drain(queue), ["a"]);
  });

  it("keeps what a quota holds back out of the way, and gives back what fits when the project has room", () => {
    const queue = queueOf([
      [waiting("a", { project: "full" }), "small"],
      [waiting("b", { project: "full" }), "large"],
      [waiting("c", { project: "free" }), "small"],
    ]);
    for (const id of ["a", "b"]) queue.holdBack(queue.lane(asVmId(id)) ?? assert.fail());
    queue.add(waiting("d", { project: "full" }), shape("small"));
    queue.wake(host);
    assert.equal(queue.next(nowMs, () => 0)?.first?.id, "c");
    queue.wakeProject("free", () => true);
    assert.equal(queue.next(nowMs, () => 0)?.first?.id, "c");
    queue.wakeProject("full", ({ key }) => key === "small");
    assert.deepEqual(drain(queue), ["a", "c", "d"]);
    queue.wakeProject("full", () => true);
    assert.deepEqual(drain(queue), ["b"]);
  });

  it("leaves a lane parked that its quota lets go, until a host changes", () => {
    const queue = queueOf([
      [waiting("a", { project: "full" }), "a"],
      [waiting("b", { project: "free" }), "a"],
    ]);
    queue.holdBack(queue.lane(asVmId("a")) ?? assert.fail());
    park(queue);
    queue.wakeProject("full", () => true);
    assert.deepEqual(drain(queue), []);
    queue.wake(host);
    assert.deepEqual(drain(queue), ["a", "b"]);
  });
});

describe("the turns of projects", () => {
  const shares: Readonly<Record<string, number>> = { low: 0.1, high: 0.7 };
  const nextId = (queue: WaitingQueue, atMs = nowMs): string | undefined =>
    queue.next(atMs, (project) => shares[project] ?? 0)?.first?.id;

  it("give the one that holds less the next host, among equal priorities, however old the other's VMs are", () => {
    const queue = queueOf([
      [waiting("old", { project: "high", createTimeMs: nowMs - 40_000 }), "a"],
      [waiting("new", { project: "low", createTimeMs: nowMs }), "a"],
    ]);
    assert.equal(nextId(queue), "new");
  });

  it("leave a higher priority before a lower, until waiting has brought that up", () => {
    const queue = queueOf([
      [waiting("urgent", { project: "high", priority: 90, createTimeMs: nowMs }), "a"],
      [waiting("patient", { project: "low", priority: 50, createTimeMs: nowMs }), "a"],
    ]);
    assert.equal(nextId(queue), "urgent");
    assert.equal(nextId(queue, nowMs + 40 * stepMs - 1), "urgent");
    assert.equal(nextId(queue, nowMs + 40 * stepMs), "patient");
  });

  it("take the highest priority from any VM that is listed, not from the first of its lane alone", () => {
    const queue = queueOf([
      [waiting("aged", { project: "high", priority: 0, createTimeMs: nowMs - 101 * stepMs }), "a"],
      [waiting("urgent", { project: "high", priority: 100, createTimeMs: nowMs }), "a"],
      [waiting("usual", { project: "low", priority: 50, createTimeMs: nowMs }), "a"],
    ]);
    assert.deepEqual([queue.mostUrgent()?.topPriority, nextId(queue)], [100, "aged"]);
    queue.remove(asVmId("aged"));
    assert.equal(nextId(queue), "urgent");
    queue.remove(asVmId("urgent"));
    assert.equal(nextId(queue), "usual");
  });

  it("come at last to a lane that was passed over for too long, whatever its project holds", () => {
    const queue = queueOf([
      [waiting("new", { project: "low", createTimeMs: nowMs }), "a"],
      [waiting("passed-over", { project: "high", createTimeMs: nowMs }), "b"],
      [waiting("next", { project: "high", createTimeMs: nowMs + 1 }), "b"],
    ]);
    const tooLongMs = nowMs + 50 * stepMs + settings.passedOverMaxMs;
    assert.equal(nextId(queue, tooLongMs - 1), "new");
    assert.equal(nextId(queue, tooLongMs), "new", "both as long, so the name decides");
    queue.serve(asVmId("new"), tooLongMs);
    assert.equal(nextId(queue, tooLongMs), "passed-over");
    queue.serve(asVmId("passed-over"), tooLongMs);
    queue.remove(asVmId("passed-over"));
    assert.equal(nextId(queue, tooLongMs + 2), "new", "it has had its turn");
  });
});

describe("the waiting queue, through any history", () => {
  const step = fc.record({
    kind: fc.constantFrom("add", "add", "add", "remove", "serve", "park", "wake", "hold", "release"),
    vm: fc.nat(9),
    shape: fc.nat(2),
    project: fc.constantFrom("red", "blue", "green"),
    priority: fc.constantFrom(10, 50, 51),
    waitMs: fc.constantFrom(0, 1, 600, 60_000),
  });
  const projects = ["red", "blue", "green"];

  it("gives what a look at all that may have a host would give", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), fc.func(fc.nat(2)), (steps, shareOf) => {
        const queue = queueOf();
        const members = new Map<string, { readonly vm: WaitingVm; readonly key: string }>();
        const parked = new Set<string>();
        const heldBack = new Set<string>();
        const served = new Map<string, number>();
        const turns = new Map<string, number>();
        const turn = ({ project }: WaitingVm): number => turns.get(project) ?? 0;
        const laneOf = ({ vm, key }: { readonly vm: WaitingVm; readonly key: string }): string =>
          `${vm.project} ${key}`;
        /** What has no members any more is forgotten with all that was known of it. */
        const forget = (): void => {
          const keys = new Set([...members.values()].map((other) => other.key));
          const lanes = new Set([...members.values()].map(laneOf));
          for (const other of parked) if (!keys.has(other)) parked.delete(other);
          for (const other of heldBack) if (!lanes.has(other)) heldBack.delete(other);
          for (const other of served.keys()) if (!lanes.has(other)) served.delete(other);
        };
        let timeMs = nowMs;
        for (const { kind, vm, shape: number, project, priority, waitMs } of steps) {
          timeMs += waitMs;
          const id = `vm-${vm}`;
          const key = `shape-${number}`;
          const next = queue.next(timeMs, shareOf);
          if (kind === "add") {
            const member = waiting(id, { project, priority, createTimeMs: timeMs });
            const known = members.get(id);
            if (known !== undefined && laneOf(known) !== laneOf({ vm: member, key })) {
              members.delete(id);
              forget();
            }
            queue.add(member, shape(key));
            members.set(id, { vm: member, key });
          } else if (kind === "serve") {
            const member = members.get(id);
            queue.serve(asVmId(id), timeMs);
            if (member !== undefined) {
              served.set(laneOf(member), timeMs);
              turns.set(member.vm.project, turns.size === 0 ? 1 : Math.max(...turns.values()) + 1);
            }
          } else if (kind === "wake") {
            queue.wake(host);
            parked.clear();
          } else if (kind === "release") {
            queue.wakeProject(project, () => true);
            for (const lane of heldBack) if (lane.startsWith(project)) heldBack.delete(lane);
          } else if (kind === "remove") {
            queue.remove(asVmId(id));
            members.delete(id);
          } else if (kind === "park" && next !== undefined) {
            queue.park(next.group);
            parked.add(next.group.shape.key);
          } else if (kind === "hold" && next !== undefined) {
            queue.holdBack(next);
            heldBack.add(next.key);
          }
          forget();
          const listed = [...members.values()]
            .filter((member) => !parked.has(member.key) && !heldBack.has(laneOf(member)))
            .sort((a, b) => order(a.vm, b.vm));
          assert.equal(queue.next(timeMs, shareOf)?.first?.id, expected(listed)?.id);

          function expected(all: readonly { readonly vm: WaitingVm; readonly key: string }[]): WaitingVm | undefined {
            const heads = all.filter((member) => all.find((other) => laneOf(other) === laneOf(member)) === member);
            const since = (member: (typeof all)[number]): number =>
              Math.max(member.vm.agedTimeMs, (served.get(laneOf(member)) ?? 0) - member.vm.priority * stepMs);
            const tooLong = heads
              .filter((member) => timeMs - since(member) >= 100 * stepMs + settings.passedOverMaxMs)
              .sort((a, b) => since(a) - since(b));
            if (tooLong[0] !== undefined) return tooLong[0].vm;
            const highest = Math.max(...all.map((member) => member.vm.priority));
            return projects
              .flatMap((name) => all.find((member) => member.vm.project === name) ?? [])
              .map((member) => member.vm)
              .filter((first) => first.priority + (timeMs - first.createTimeMs) / stepMs >= highest)
              .sort((a, b) => shareOf(a.project) - shareOf(b.project) || turn(a) - turn(b) || order(a, b))[0];
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** By grown priority at any moment, then by age, then by name. */
function order(a: WaitingVm, b: WaitingVm): number {
  const grown = (vm: WaitingVm): number => vm.priority * stepMs - vm.createTimeMs;
  return grown(b) - grown(a) || a.createTimeMs - b.createTimeMs || (a.id < b.id ? -1 : 1);
}
