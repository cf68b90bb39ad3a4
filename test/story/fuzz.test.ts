import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { fuzzTarget } from "../fuzz/run-target.ts";
import { targets } from "../fuzz/targets.ts";

/** Enough for what is kept, and for a few new inputs; `npm run fuzz` does the rest. */
const runs = 60;
const portRuns = 10;

describe("bad input on purpose", () => {
  for (const maker of targets) {
    it(`breaks nothing: ${maker.name}`, async function () {
      this.timeout(60_000);
      const isPort = maker.name.startsWith("port-");
      const report = await fuzzTarget(maker, { seed: 1, runs: isPort ? portRuns : runs, keepsFound: false });
      assert.equal(report.found?.error, undefined);
      assert.ok(report.inputs >= (isPort ? portRuns : runs));
      // Nothing but refusals would say nothing of what comes after them.
      assert.ok(report.decoded > 0, "no input was decoded");
    });
  }
});
