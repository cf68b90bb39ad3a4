import assert from "node:assert/strict";
import { FakeClock } from "../../../support/fake-clock.ts";

describe("the fake clock", () => {
  it("runs timers in the order of their times, each at its moment, those included that are started on the way", () => {
    const clock = new FakeClock(0);
    const ran: string[] = [];
    const note = (name: string) => () => ran.push(`${name} at ${clock.monotonicMs()}`);
    clock.after(20, note("b"));
    clock.after(10, () => {
      note("a")();
      clock.after(5, note("started"));
    });
    clock.after(20, note("c"));
    clock.after(15, note("never")).cancel();
    clock.advance(30);
    assert.deepEqual(ran, ["a at 10", "started at 15", "b at 20", "c at 20"]);
    assert.equal(clock.monotonicMs(), 30);
    assert.equal(clock.timerCount, 0);
  });
});
