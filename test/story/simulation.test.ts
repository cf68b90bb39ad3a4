import assert from "node:assert/strict";
import { findMisfit } from "../simulation/edit.ts";
import { knownSeedSteps, knownSeeds } from "../simulation/known-seeds.ts";
import { Mutant } from "../simulation/mutant.ts";
import { findMistakes, mistakes } from "../simulation/mutant-hunt.ts";
import { type RunResult, runSeed } from "../simulation/run.ts";

describe("the simulation", function () {
  this.timeout(20_000);

  for (const { name, seed } of knownSeeds) {
    it(`breaks no rule where once: ${name}`, async () => {
      assertSound(await runSeed({ seed, stepCount: knownSeedSteps }));
    });
  }

  it("breaks no rule in a few seeds", async () => {
    for (let seed = 1_001; seed <= 1_010; seed += 1) assertSound(await runSeed({ seed, stepCount: 1_000 }));
  });

  it("gives the same run for the same seed", async () => {
    const first = await runSeed({ seed: 7, stepCount: 1_500 });
    const second = await runSeed({ seed: 7, stepCount: 1_500, mutant: new Mutant() });
    assert.equal(second.digest, first.digest);
    assert.equal(second.simulatedMs, first.simulatedMs);
  });

  it("finds mistakes that are put into it", async () => {
    const names = ["forget request ids", "free capacity at the request", "check no quota"];
    const hunted = mistakes.filter(({ name }) => names.includes(name));
    assert.equal(hunted.length, names.length);
    const lines: string[] = [];
    const seeds = { firstSeed: 1, seedCount: 30, stepCount: 1_500 };
    assert.ok(await findMistakes(hunted, seeds, (line) => lines.push(line)), lines.join("\n"));
  });

  it("has mistakes that fit the code as it is", () => {
    for (const { edits, name } of [...mistakes, ...knownSeeds]) {
      for (const edit of edits) assert.equal(findMisfit(edit), undefined, name);
    }
  });
});

function assertSound({ broken, seed }: RunResult): void {
  if (broken === undefined) return;
  assert.fail(`seed ${seed}, step ${broken.step}: ${broken.rule}: ${broken.detail}\n${broken.lastLines.join("\n")}`);
}
