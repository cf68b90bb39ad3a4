import assert from "node:assert/strict";
import * as fc from "fast-check";
import { addressKey } from "../../../../server/access/address-key.ts";
import { Rates } from "../../../../server/access/rate.ts";

describe("a rate", () => {
  it("lets a burst through, and then as much as time gives back", () => {
    const rates = new Rates();
    const rate = { perSecond: 10, burst: 5 };
    for (let count = 0; count < 5; count += 1) assert.equal(rates.take("a", rate, 0), 0);
    assert.equal(Math.round(rates.take("a", rate, 0)), 100);
    assert.equal(Math.round(rates.take("a", rate, 40)), 60, "being refused costs nothing");
    assert.equal(rates.take("a", rate, 100), 0);
    assert.ok(rates.take("a", rate, 100) > 0);
    assert.equal(rates.take("b", rate, 100), 0, "another key has a bucket of its own");
  });

  it("never lets through more than burst and rate allow, in any stretch of time, and never refuses without need", () => {
    const steps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), steps, (perSecond, burst, gaps) => {
        const rates = new Rates();
        const taken: number[] = [];
        let nowMs = 0;
        for (const gapMs of gaps) {
          nowMs += gapMs;
          const waitMs = rates.take("a", { perSecond, burst }, nowMs);
          if (waitMs === 0) taken.push(nowMs);
          else assert.ok(waitMs <= 1000 / perSecond + 1e-6, "one comes back within one's time");
        }
        for (let first = 0; first < taken.length; first += 1) {
          for (let last = first; last < taken.length; last += 1) {
            const spanMs = (taken[last] ?? 0) - (taken[first] ?? 0);
            assert.ok(last - first + 1 <= burst + (spanMs * perSecond) / 1000 + 1e-6);
          }
        }
        // The first of a burst is always let through.
        if (gaps.length > 0) assert.ok(taken.length >= Math.min(gaps.length, 1));
      }),
    );
  });

  it("keeps a bounded number of keys: those that are full go first, then those that were used least recently", () => {
    const rates = new Rates(3);
    const rate = { perSecond: 1, burst: 1 };
    for (const key of ["a", "b", "c"]) rates.take(key, rate, 0);
    rates.take("d", rate, 500);
    assert.equal(rates.size, 3);
    assert.ok(rates.take("b", rate, 500) > 0, "b is remembered");
    rates.take("e", rate, 2_000);
    assert.equal(rates.size, 1, "all others are full again");
  });
});

describe("addresses", () => {
  it("count by themselves, and those of IPv6 by their /64", () => {
    for (const [address, key] of [
      ["192.0.2.7", "192.0.2.7"],
      ["::ffff:192.0.2.7", "192.0.2.7"],
      ["2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"],
      ["[2001:DB8:1:2:bbbb:0:0:1]", "2001:db8:1:2::/64"],
      ["2001:db8::1", "2001:db8:0:0::/64"],
      ["::1", "0:0:0:0::/64"],
      ["fe80::1%en0", "fe80:0:0:0::/64"],
      ["", ""],
    ] as const) {
      assert.equal(addressKey(address), key, address);
    }
  });
});
