/** `npm run sim`: runs seeds, replays one, or shows that mutants are found. Ends with one line of totals. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { checkKnownSeeds } from "./known-mistakes.ts";
import { findMistakes, mistakes } from "./mutant-hunt.ts";
import { type RunResult, runSeed } from "./run.ts";
import { runBatches } from "./seed-batches.ts";
import { Totals } from "./totals.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    steps: { type: "string", default: "2000" },
    threads: { type: "string", default: String(availableParallelism()) },
    mutants: { type: "boolean", default: false },
    known: { type: "boolean", default: false },
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
const threadCount = Number(values.threads);
if (![stepCount, firstSeed, seedCount, threadCount].every(Number.isInteger)) {
  console.error(
    "usage: npm run sim -- [--seeds N [--from SEED] [--threads N] | --seed SEED [--verbose]] [--steps N] [--mutants] [--known]",
  );
  process.exitCode = 2;
} else if (values.known) {
  process.exitCode = (await checkKnownSeeds(console.log)) ? 0 : 1;
} else if (values.mutants) {
  const seeds = { stepCount, firstSeed, seedCount: Math.min(seedCount, 200) };
  const hasFoundAll = await findMistakes(mistakes, seeds, console.log);
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
    const onBatchDone = (): void => console.log(totals.progress());
    await runBatches({ firstSeed, seedCount, stepCount }, tell, { threadCount, onBatchDone });
  }
  console.log(totals.line());
  if (totals.brokenCount > 0) process.exitCode = 1;
}
