/** `npm run fuzz`: bad input on purpose, for every decoder and every port. */
import { Command } from "@commander-js/extra-typings";
import { renderTable } from "../../cli/output/table.ts";
import { wholeNumber } from "../../cli/values/number.ts";
import { keptInputs, readKept, targetOf } from "./corpus.ts";
import { type FuzzReport, fuzzTarget, replayInput } from "./run-target.ts";
import type { TargetMaker } from "./target.ts";
import { targets } from "./targets.ts";

const names = targets.map(({ name }) => name);

/** fast-check takes seeds and numbers of runs of 32 bits. */
const countMax = 2 ** 31 - 1;

const program = new Command("fuzz")
  .description(
    "Feeds every decoder and every port with inputs that are almost right. Each input is decoded, or refused as declared; " +
      "whatever else happens is a bug: its input is shrunk, printed and kept in test/fuzz/corpus, where it is tried from then on.",
  )
  .option("--target <name...>", `which ones: ${names.join(", ")} (default: all)`)
  .option("--seed <n>", "repeats the inputs", wholeNumber(0, countMax), Math.floor(Math.random() * countMax))
  .option("--runs <n>", "inputs for each target", wholeNumber(0, countMax), 2_000)
  .option("--seconds <n>", "the most time for each target", wholeNumber(0, countMax))
  .option("--replay <file>", "try this one input of the corpus, for the target whose folder it lies in")
  .option("--json", "print the figures as JSON")
  .addHelpText("after", "\nEnds with 0 if nothing was found, and with 1 otherwise.")
  .parse();

const options = program.opts();
process.once("SIGINT", () => process.exit(130));
if (options.replay === undefined) await fuzz();
else await replay(options.replay);
process.exit();

async function fuzz(): Promise<void> {
  const { seed, runs, seconds, target: wanted } = options;
  if (options.json !== true) process.stdout.write(`seed ${seed}\n`);
  const reports: FuzzReport[] = [];
  for (const maker of wanted === undefined ? targets : wanted.map(makerOf)) {
    const timeMs = seconds === undefined ? undefined : seconds * 1000;
    const report = await fuzzTarget(maker, { seed, runs, timeMs, keepsFound: true });
    reports.push(report);
    const { found } = report;
    if (found !== undefined) {
      process.exitCode = 1;
      process.stderr.write(
        `${report.target}: ${found.error}\n  input: ${shown(found.bytes)}\n  kept as ${found.path ?? "-"}\n`,
      );
    }
  }
  process.stdout.write(
    options.json === true ? `${JSON.stringify(reports.map(withoutBytes), undefined, 2)}\n` : table(reports),
  );
}

async function replay(path: string): Promise<void> {
  const maker = makerOf(targetOf(path));
  try {
    await replayInput(maker, readKept(path).bytes);
    process.stdout.write(`${maker.name}: nothing is wrong with this input any more\n`);
  } catch (error) {
    process.stderr.write(`${maker.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  }
}

function makerOf(name: string): TargetMaker {
  const maker = targets.find((each) => each.name === name);
  return maker ?? program.error(`there is no target ${name}; there are ${names.join(", ")}`);
}

function table(reports: readonly FuzzReport[]): string {
  return renderTable(
    reports,
    [
      { title: "TARGET", text: ({ target }) => target },
      { title: "INPUTS", text: ({ inputs }) => String(inputs), align: "right" },
      { title: "DECODED", text: ({ decoded }) => String(decoded), align: "right" },
      { title: "REFUSED", text: ({ refused }) => String(refused), align: "right" },
      { title: "SLOWEST MS", text: ({ slowestMs }) => slowestMs.toFixed(1), align: "right" },
      { title: "S", text: ({ elapsedMs }) => (elapsedMs / 1000).toFixed(1), align: "right" },
      { title: "KEPT", text: ({ target }) => String(keptInputs(target).length), align: "right" },
      { title: "FOUND", text: ({ found }) => (found === undefined ? "" : "yes") },
    ],
    { width: Number.POSITIVE_INFINITY, paint: (text) => text },
  );
}

function withoutBytes({ found, ...report }: FuzzReport): object {
  return found === undefined ? report : { ...report, found: { error: found.error, path: found.path } };
}

function shown(bytes: Uint8Array): string {
  const text = JSON.stringify(Buffer.from(bytes).toString("latin1"));
  return text.length > 500 ? `${text.slice(0, 500)}… (${bytes.length} bytes)` : text;
}
