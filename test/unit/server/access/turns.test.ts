import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Turns } from "../../../../server/access/turns.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

describe("turns", () => {
  let clock: FakeClock;
  let turns: Turns;
  beforeEach(() => {
    clock = new FakeClock();
    turns = new Turns(clock);
  });

  /** Asks for so many calls; what has begun of them, in the order in which it did. */
  function ask(identity: string, count: number): string[] {
    const begun: string[] = [];
    for (let at = 0; at < count; at += 1) {
      const name = `${identity}${at}`;
      const turn = turns.take(identity);
      if (turn === undefined) begun.push(name);
      else void turn.then(() => begun.push(name));
    }
    return begun;
  }

  it("begin a few calls at once, and the others in their order, in the turns that follow", async () => {
    const begun = ask("a", 40);
    assert.deepEqual(begun, ["a0", "a1"]);
    let turnCount = 0;
    for (; begun.length < 40; turnCount += 1) await setImmediate();
    assert.ok(turnCount > 3, `${turnCount} turns`);
    assert.deepEqual(
      begun,
      begun.map((_, at) => `a${at}`),
    );
  });

  it("begin one call of an identity at a time while they take long, and more while they do not", async () => {
    const slow = ask("a", 12);
    for (let turn = 0; turn < 5; turn += 1) {
      const before = slow.length;
      clock.advance(10);
      await setImmediate();
      assert.equal(slow.length, before + 1);
    }
    for (let turn = 0; turn < 2; turn += 1) await setImmediate();
    assert.equal(slow.length, 7 + 2 + 3, "two, then as many as are left of four");
  });

  it("let nobody wait for the many calls of another", async () => {
    const noisy = ask("noisy", 1_000);
    clock.advance(10);
    await setImmediate();
    assert.deepEqual(ask("quiet", 2), ["quiet0", "quiet1"]);
    const more = ask("quiet", 1);
    clock.advance(10);
    await setImmediate();
    assert.equal(more.length, 1);
    assert.ok(noisy.length < 10);
  });
});
