import assert from "node:assert/strict";
import * as fc from "fast-check";
import { WaitingLine } from "../../../../server/pool/waiting-line.ts";
import { isBefore, type WaitingVm } from "../../../../server/pool/waiting-vm.ts";
import { asVmId } from "../../../../shared/ids.ts";

function waiting(number: number, fields: Partial<WaitingVm> = {}): WaitingVm {
  const place = { id: asVmId(`vm-${number}`), project: "default", priority: 50, createTimeMs: 1, ...fields };
  return { ...place, agedTimeMs: place.createTimeMs - place.priority };
}

describe("the waiting line", () => {
  it("tells the place of each VM as a count of those before it would", () => {
    const step = fc.record({
      isAdded: fc.constantFrom(true, true, false),
      number: fc.nat(40),
      priority: fc.constantFrom(10, 50),
      createTimeMs: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const line = new WaitingLine();
        const all = new Map<string, WaitingVm>();
        for (const { isAdded, number, ...fields } of steps) {
          const vm = waiting(number, fields);
          if (isAdded) {
            line.put(vm);
            all.set(vm.id, vm);
          } else {
            line.remove(vm.id);
            all.delete(vm.id);
          }
        }
        assert.equal(line.size, all.size);
        for (const vm of all.values()) {
          const ahead = [...all.values()].filter((other) => isBefore(other, vm)).length;
          assert.equal(line.positionOf(vm.id), ahead + 1);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("keeps its order when thousands come at both ends and in the middle, and leaves nothing behind", () => {
    const line = new WaitingLine();
    // 7 and 5,000 share no factor: every number comes once, in a mixed order.
    const numbers = Array.from({ length: 5000 }, (_, index) => (index * 7) % 5000);
    for (const number of numbers) line.put(waiting(number, { createTimeMs: number }));
    for (const number of numbers) assert.equal(line.positionOf(asVmId(`vm-${number}`)), number + 1);
    for (const number of numbers) if (number % 2 === 0) line.remove(asVmId(`vm-${number}`));
    assert.equal(line.size, 2500);
    assert.equal(line.positionOf(asVmId("vm-4999")), 2500);
    for (const number of numbers) line.remove(asVmId(`vm-${number}`));
    assert.equal(line.size, 0);
    line.put(waiting(1));
    assert.equal(line.positionOf(asVmId("vm-1")), 1);
  });

  it("knows nothing of a VM that does not wait", () => {
    const line = new WaitingLine();
    assert.equal(line.positionOf(asVmId("absent")), 0);
    line.put(waiting(1));
    line.remove(asVmId("absent"));
    assert.equal(line.size, 1);
  });
});
