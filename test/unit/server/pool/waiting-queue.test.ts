import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Shape } from "../../../../server/pool/shape.ts";
import { isBefore, WaitingQueue, type WaitingVm } from "../../../../server/pool/waiting-queue.ts";
import { asHostId, asVmId } from "../../../../shared/ids.ts";

const host = asHostId("mac-1");

function shape(key: string, fields: Partial<Shape> = {}): Shape {
  const resources = { cpuCount: 1, memoryMib: 1, diskMib: 1 };
  return { key, architecture: "arm64", resources, isMacos: false, required: [], ...fields };
}

function waiting(id: string, fields: Partial<WaitingVm> = {}): WaitingVm {
  return { id: asVmId(id), priority: 50, createTimeMs: 0, ...fields };
}

/** Takes out everything that may have a host, in the order in which it would be placed. */
function drain(queue: WaitingQueue): readonly string[] {
  const order: string[] = [];
  for (;;) {
    const id = queue.nextAwake()?.members.first?.id;
    if (id === undefined) return order;
    order.push(id);
    queue.remove(id);
  }
}

describe("the waiting queue", () => {
  it("gives VMs by priority, then by age, then by name, across shapes", () => {
    const queue = new WaitingQueue();
    queue.add(waiting("late", { createTimeMs: 2 }), shape("a"));
    queue.add(waiting("b-early", { createTimeMs: 1 }), shape("a"));
    queue.add(waiting("a-early", { createTimeMs: 1 }), shape("b"));
    queue.add(waiting("urgent", { priority: 90, createTimeMs: 9 }), shape("c"));
    assert.deepEqual(drain(queue), ["urgent", "a-early", "b-early", "late"]);
  });

  it("does not look at a parked shape again, nor at those that join it, until a host changes", () => {
    const queue = new WaitingQueue();
    queue.add(waiting("a"), shape("a"));
    queue.park(queue.nextAwake() ?? assert.fail());
    queue.add(waiting("b"), shape("a"));
    assert.equal(queue.nextAwake(), undefined);
    queue.wake(host);
    assert.deepEqual([...(queue.nextAwake()?.changedHosts ?? [])], [host]);
    assert.deepEqual(drain(queue), ["a", "b"]);
  });

  it("looks at every shape anew, at all hosts, when anything may fit anywhere now", () => {
    const queue = new WaitingQueue();
    for (const key of ["a", "b"]) {
      queue.add(waiting(key), shape(key));
      queue.park(queue.nextAwake() ?? assert.fail());
    }
    queue.wake(host);
    queue.wakeAll();
    assert.deepEqual(
      ["a", "b"].map((id) => queue.group(asVmId(id))).map((group) => [group?.isParked, group?.changedHosts.size]),
      [
        [false, 0],
        [false, 0],
      ],
    );
    assert.deepEqual(drain(queue), ["a", "b"]);
  });

  it("remembers a host that changed while the first of a shape was elsewhere", () => {
    const queue = new WaitingQueue();
    queue.add(waiting("a"), shape("a"));
    queue.add(waiting("b", { createTimeMs: 1 }), shape("a"));
    queue.park(queue.nextAwake() ?? assert.fail());
    queue.wake(host);
    queue.remove(asVmId("a"));
    queue.add(waiting("c", { createTimeMs: 2 }), shape("a"));
    assert.deepEqual([...(queue.nextAwake()?.changedHosts ?? [])], [host]);
    assert.deepEqual(drain(queue), ["b", "c"]);
  });

  it("does not wake a shape that only another host can serve", () => {
    const queue = new WaitingQueue();
    queue.add(waiting("a"), shape("a", { host: asHostId("mac-2") }));
    queue.park(queue.nextAwake() ?? assert.fail());
    queue.wake(host);
    assert.equal(queue.nextAwake(), undefined);
    queue.wake(asHostId("mac-2"));
    assert.notEqual(queue.nextAwake(), undefined);
  });

  it("moves a VM that is added again under another shape", () => {
    const queue = new WaitingQueue();
    queue.add(waiting("a"), shape("a"));
    queue.add(waiting("a"), shape("b"));
    assert.equal(queue.group(asVmId("a"))?.shape.key, "b");
    assert.deepEqual(drain(queue), ["a"]);
  });

  it("keeps its order whatever is added, removed, parked and woken", () => {
    const step = fc.record({
      kind: fc.constantFrom("add", "add", "remove", "park", "wake"),
      vm: fc.nat(9),
      shape: fc.nat(3),
      priority: fc.constantFrom(10, 50),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new WaitingQueue();
        const members = new Map<string, { readonly vm: WaitingVm; readonly key: string }>();
        const parked = new Set<string>();
        for (const { kind, vm, shape: number, priority } of steps) {
          const member = waiting(`vm-${vm}`, { priority });
          const key = `shape-${number}`;
          if (kind === "add") {
            queue.add(member, shape(key));
            members.set(member.id, { vm: member, key });
          } else if (kind === "remove") {
            queue.remove(member.id);
            members.delete(member.id);
          } else if (kind === "wake") {
            queue.wake(host);
            parked.clear();
          } else {
            const group = queue.nextAwake();
            if (group !== undefined) {
              queue.park(group);
              parked.add(group.shape.key);
            }
          }
          const keys = new Set([...members.values()].map((other) => other.key));
          for (const other of parked) if (!keys.has(other)) parked.delete(other);
          const awake = [...members.values()].filter((other) => !parked.has(other.key)).map((other) => other.vm);
          const first = awake.reduce<WaitingVm | undefined>(
            (a, b) => (a === undefined || isBefore(b, a) ? b : a),
            undefined,
          );
          assert.equal(queue.nextAwake()?.members.first?.id, first?.id);
        }
      }),
    );
  });
});
