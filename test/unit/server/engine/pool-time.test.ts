import assert from "node:assert/strict";
import { PoolTime } from "../../../../server/engine/pool-time.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

describe("the pool's time", () => {
  it("begins at the machine's time and follows the monotonic clock, whoever sets the other", () => {
    const clock = new FakeClock(5000);
    const time = new PoolTime(clock, { newestMs: 0 });
    clock.advance(1000);
    assert.equal(time.nowMs(), 6000);
    clock.setWall(1);
    assert.equal(time.nowMs(), 6000);
    clock.setWall(9_000_000);
    clock.advance(500);
    assert.equal(time.nowMs(), 6500);
  });

  it("begins no earlier than the newest stored change", () => {
    const clock = new FakeClock(5000);
    assert.equal(new PoolTime(clock, { newestMs: 70_000 }).nowMs(), 70_000);
  });

  it("goes on in a later run on the same start of the machine, whoever sets its clock meanwhile", () => {
    const clock = new FakeClock(5000);
    const boot = { bootId: "boot-1", uptimeMs: () => clock.monotonicMs() + 77 };
    const first = new PoolTime(clock, { newestMs: 0, boot });
    assert.equal(first.nowMs(), 5000);
    clock.advance(40_000);
    clock.setWall(9_000_000);
    const second = new PoolTime(clock, { newestMs: 5000, anchor: first.anchor, boot });
    assert.equal(second.nowMs(), 45_000);
    clock.advance(1000);
    clock.setWall(1);
    const third = new PoolTime(clock, { newestMs: 5000, anchor: second.anchor, boot });
    assert.equal(third.nowMs(), 46_000);
    assert.equal(third.wallAheadMs(), 1 - 46_000);
  });

  it("begins at the machine's clock again after a start of the machine, or where that cannot be told", () => {
    const clock = new FakeClock(5000);
    const anchor = { bootId: "boot-1", uptimeMs: 10, poolMs: 1000 };
    for (const bootId of ["boot-2", ""]) {
      const boot = { bootId, uptimeMs: () => 500 };
      assert.equal(new PoolTime(clock, { newestMs: 0, anchor, boot }).nowMs(), 5000);
    }
    assert.equal(
      new PoolTime(clock, {
        newestMs: 0,
        anchor: { ...anchor, bootId: "" },
        boot: { bootId: "", uptimeMs: () => 9 },
      }).nowMs(),
      5000,
    );
    assert.equal(
      new PoolTime(clock, { newestMs: 0, anchor, boot: { bootId: "boot-1", uptimeMs: () => 5 } }).nowMs(),
      5000,
    );
    assert.equal(new PoolTime(clock, { newestMs: 0, anchor }).nowMs(), 5000);
  });
});
