import assert from "node:assert/strict";
import { PoolTime } from "../../../../server/engine/pool-time.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

describe("the pool's time", () => {
  it("begins at the machine's time and follows the monotonic clock, whoever sets the other", () => {
    const clock = new FakeClock(5000);
    const time = new PoolTime(clock, 0);
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
    assert.equal(new PoolTime(clock, 70_000).nowMs(), 70_000);
  });
});
