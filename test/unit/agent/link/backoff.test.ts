import assert from "node:assert/strict";
import { Backoff, defaultBackoffTuning } from "../../../../agent/link/backoff.ts";

const almostOne = 0.999_999;

describe("the backoff", () => {
  it("doubles its bound from step to step up to the cap", () => {
    const backoff = new Backoff({ tuning: defaultBackoffTuning, dialsPerStep: 1, random: () => almostOne });
    const delays = Array.from({ length: 10 }, () => Math.round(backoff.nextDelayMs()));
    assert.deepEqual(delays, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("takes any pause between nothing and its bound", () => {
    const backoff = new Backoff({ tuning: defaultBackoffTuning, dialsPerStep: 1, random: () => 0 });
    assert.equal(backoff.nextDelayMs(), 0);
  });

  it("takes a step only when every server was tried", () => {
    const backoff = new Backoff({ tuning: defaultBackoffTuning, dialsPerStep: 2, random: () => almostOne });
    assert.deepEqual(
      Array.from({ length: 4 }, () => Math.round(backoff.nextDelayMs())),
      [250, 250, 500, 500],
    );
  });

  it("begins anew after a reset", () => {
    const backoff = new Backoff({ tuning: defaultBackoffTuning, dialsPerStep: 1, random: () => almostOne });
    for (let dial = 0; dial < 100; dial += 1) backoff.nextDelayMs();
    backoff.reset();
    assert.equal(Math.round(backoff.nextDelayMs()), 250);
  });
});
