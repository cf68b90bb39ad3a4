import assert from "node:assert/strict";
import { createRandom, deriveSeed } from "../../../simulator/random.ts";

describe("seeded randomness", () => {
  it("repeats for a seed and differs between seeds", () => {
    const draw = (seed: number): string => createRandom(seed).hex(32);
    assert.equal(draw(1), draw(1));
    assert.notEqual(draw(1), draw(2));
    assert.notEqual(draw(deriveSeed(1, 0)), draw(deriveSeed(1, 1)));
  });

  it("is spread evenly, and makes ids in the form of UUIDs", () => {
    const random = createRandom(3);
    const buckets = [0, 0, 0, 0];
    for (let draw = 0; draw < 4_000; draw += 1) {
      const bucket = Math.floor(random.fraction() * 4);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    assert(
      buckets.every((count) => count > 850 && count < 1_150),
      buckets.join(),
    );
    assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
