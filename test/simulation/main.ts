/** `npm run sim`: runs seeds, replays one, or shows that mutants are found. Ends with one line of totals. */
import { parseArgs } from "node:util";
import { pino } from "pino";
import { findMutants } from "./mutant-hunt.ts";
import { type RunResult, runSeed } from "./run.ts";
import { runBatches } from "./seed-batches.ts";
import { Totals } from "./totals.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    steps: { type: "string", default: "2000" },
    mutants: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

/** Seeds that break a rule and are told of in full; one is enough to begin with. */
const shownMax = 3;

/** What servers and agents log, between the lines of the history. */
const spoken = pino({ level: "debug", base: null, timestamp: false }, { write: (line) => process.stdout.write(line) });

const stepCount = Number(values.steps);
const isReplay = values.seed !== undefined;
const firstSeed = Number(values.seed ?? values.from);
const seedCount = isReplay ? 1 : Number(values.seeds);
if (![stepCount, firstSeed, seedCount].every(Number.isInteger)) {
  console.error("usage: npm run sim -- [--seeds N [--from SEED] | --seed SEED [--verbose]] [--steps N] [--mutants]");
  process.exitCode = 2;
} else if (values.mutants) {
  const hasFoundAll = await findMutants({ stepCount, firstSeed, seedsMax: Math.min(seedCount, 200) }, console.log);
  process.exitCode = hasFoundAll ? 0 : 1;
} else {
  await runSeeds();
}

async function runSeeds(): Promise<void> {
  const totals = new Totals();
  const tell = (result: RunResult): void => {
    totals.add(result);
    if (result.broken === undefined || (!isReplay && totals.brokenCount > shownMax)) return;
    const { rule, detail, step, lastLines } = result.broken;
    console.log(`seed ${result.seed}, step ${step}: ${rule}: ${detail}`);
    if (!values.verbose) console.log(lastLines.join("\n"));
    console.log(`replay: npm run sim -- --seed ${result.seed} --steps ${stepCount} --verbose`);
  };
  if (isReplay) {
    tell(
      await runSeed({ seed: firstSeed, stepCount, ...(values.verbose ? { onLine: console.log, log: spoken } : {}) }),
    );
  } else {
    await runBatches({ firstSeed, seedCount, stepCount }, tell);
  }
  console.log(totals.line());
  if (totals.brokenCount > 0) process.exitCode = 1;
}
