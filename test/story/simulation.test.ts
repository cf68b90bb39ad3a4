import assert from "node:assert/strict";
import { knownSeedSteps, knownSeeds } from "../simulation/known-seeds.ts";
import { Mutant } from "../simulation/mutant.ts";
import { mutants } from "../simulation/mutants.ts";
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
    for (const name of ["forget request ids", "free capacity at the request", "count no macOS slots"]) {
      const mutant = mutants.find((one) => one.name === name);
      assert.ok(mutant !== undefined, name);
      let isFound = false;
      for (let seed = 1; seed <= 10 && !isFound; seed += 1) {
        const { broken } = await runSeed({ seed, stepCount: 1_500, mutant: mutant.make() });
        isFound = broken !== undefined;
      }
      assert.ok(isFound, `${name} passes unnoticed`);
    }
  });
});

function assertSound({ broken, seed }: RunResult): void {
  if (broken === undefined) return;
  assert.fail(`seed ${seed}, step ${broken.step}: ${broken.rule}: ${broken.detail}\n${broken.lastLines.join("\n")}`);
}
