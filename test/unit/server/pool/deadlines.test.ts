import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Deadlines } from "../../../../server/pool/deadlines.ts";

describe("deadlines", () => {
  it("come due in the order of their times, those of one time by key, and not before", () => {
    const deadlines = new Deadlines();
    deadlines.schedule("c", 30);
    deadlines.schedule("b", 10);
    deadlines.schedule("a", 10);
    assert.equal(deadlines.nextMs, 10);
    assert.equal(deadlines.take(9), undefined);
    assert.deepEqual(
      [deadlines.take(30), deadlines.take(30), deadlines.take(30), deadlines.take(30)],
      ["a", "b", "c", undefined],
    );
    assert.equal(deadlines.nextMs, undefined);
  });

  it("move to an earlier time, and stay for a later one", () => {
    const deadlines = new Deadlines();
    deadlines.schedule("a", 20);
    deadlines.schedule("a", 30);
    assert.equal(deadlines.nextMs, 20);
    deadlines.schedule("a", 10);
    assert.equal(deadlines.take(10), "a");
    assert.equal(deadlines.take(100), undefined);
  });

  it("that are cancelled never come, and can be scheduled again", () => {
    const deadlines = new Deadlines();
    deadlines.schedule("a", 10);
    deadlines.cancel("a");
    deadlines.cancel("nobody");
    assert.equal(deadlines.nextMs, undefined);
    deadlines.schedule("a", 20);
    assert.equal(deadlines.take(20), "a");
  });

  it("keep their order whatever is scheduled and cancelled", () => {
    const step = fc.record({ key: fc.nat(20).map(String), atMs: fc.nat(50), isCancelled: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const deadlines = new Deadlines();
        const expected = new Map<string, number>();
        for (const { key, atMs, isCancelled } of steps) {
          if (isCancelled) {
            deadlines.cancel(key);
            expected.delete(key);
          } else {
            deadlines.schedule(key, atMs);
            expected.set(key, Math.min(atMs, expected.get(key) ?? atMs));
          }
        }
        const order = [...expected].sort(([a, atA], [b, atB]) => atA - atB || (a < b ? -1 : 1)).map(([key]) => key);
        assert.deepEqual(
          Array.from(expected, () => deadlines.take(50)),
          order,
        );
        assert.equal(deadlines.take(50), undefined);
      }),
    );
  });
});
