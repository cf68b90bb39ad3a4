import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type LifetimesRecord, observeLifetime, remainingMs } from "../../../../server/pool/lifetimes.ts";
import { asTemplateId } from "../../../../shared/ids.ts";

const id = asTemplateId("macos");
const minuteMs = 60_000;

function observed(spansMs: readonly number[]): LifetimesRecord | undefined {
  return spansMs.reduce<LifetimesRecord | undefined>(
    (record, spanMs, index) => observeLifetime(record, { id, spanMs, timeMs: index }),
    undefined,
  );
}

/** Within a bucket, which is some 19 % wide. */
function isNear(actual: number | undefined, expected: number): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= expected * 0.2, `${actual} is not near ${expected}`);
}

describe("observed lifetimes", () => {
  it("say nothing before there is one", () => {
    assert.equal(remainingMs(undefined, { ageMs: 0, quantile: 0.5 }), undefined);
  });

  it("give the median and the long end of those that were seen", () => {
    const lives = observed([5, 5, 5, 5, 5, 5, 5, 5, 40, 40].map((minutes) => minutes * minuteMs));
    isNear(remainingMs(lives, { ageMs: 0, quantile: 0.5 }), 5 * minuteMs);
    isNear(remainingMs(lives, { ageMs: 0, quantile: 0.9 }), 40 * minuteMs);
  });

  it("know that one which outlived most is probably of the long kind", () => {
    const lives = observed([5, 5, 5, 5, 5, 5, 5, 5, 40, 40].map((minutes) => minutes * minuteMs));
    isNear(remainingMs(lives, { ageMs: 20 * minuteMs, quantile: 0.5 }), 18 * minuteMs);
    assert.equal(remainingMs(lives, { ageMs: 90 * minuteMs, quantile: 0.5 }), 90 * minuteMs);
  });

  it("follow a template whose VMs change their habits", () => {
    const lives = observed([...Array<number>(2000).fill(40 * minuteMs), ...Array<number>(900).fill(5 * minuteMs)]);
    isNear(remainingMs(lives, { ageMs: 0, quantile: 0.5 }), 5 * minuteMs);
    assert.ok((lives?.total ?? 0) <= 400);
  });

  it("never give less for a higher share, never less than nothing, and stay near the true quantile", () => {
    const spans = fc.array(fc.integer({ min: 2_000, max: 10_000_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(spans, fc.integer({ min: 0, max: 12_000_000 }), (spansMs, ageMs) => {
        const lives = observed(spansMs);
        const quarters = [0.1, 0.5, 0.9].map((quantile) => remainingMs(lives, { ageMs, quantile }) ?? Number.NaN);
        assert.ok((quarters[0] ?? -1) >= 0);
        assert.ok((quarters[0] ?? 0) <= (quarters[1] ?? 0) && (quarters[1] ?? 0) <= (quarters[2] ?? 0));
        const sorted = spansMs.toSorted((a, b) => a - b);
        const median = sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
        const estimate = remainingMs(lives, { ageMs: 0, quantile: 0.5 }) ?? 0;
        assert.ok(estimate >= median * 0.8 && estimate <= median * 1.2, `${estimate} for ${median}`);
      }),
    );
  });
});
