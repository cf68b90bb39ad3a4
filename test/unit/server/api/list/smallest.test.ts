import assert from "node:assert/strict";
import { array, assert as checkProperty, integer, property } from "fast-check";
import { smallest } from "../../../../../server/api/list/smallest.ts";

describe("the smallest of many", () => {
  it("are the first of the sorted ones", () => {
    const compare = (a: number, b: number): number => a - b;
    checkProperty(
      property(array(integer()), integer({ min: 1, max: 20 }), (items, count) => {
        assert.deepEqual(smallest(items, count, compare), items.toSorted(compare).slice(0, count));
      }),
    );
  });
});
