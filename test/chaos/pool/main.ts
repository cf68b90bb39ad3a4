/** `npm run chaos:pool`: a pool in the large under failures, with the account in the end. */
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { wholeNumber } from "../../../cli/values/number.ts";
import { type PoolRunReport, runPool } from "./pool-run.ts";
import { formatReport } from "./report.ts";

/** Exit codes, as those of the command line. */
const exitCodes = { unbalanced: 1, broken: 2, interrupted: 130 } as const;

const program = new Command("chaos:pool")
  .description(
    "Runs a server, agents as processes and simulated Macs with their local APIs, kills, freezes and cuts them off while " +
      "builds ask for VMs, and draws up an account: every create that was acknowledged, and every VM on a Mac.",
  )
  .option("--hosts <n>", "Macs, each with an agent process of some 90 MB", wholeNumber(1, 1000), 100)
  .option("--vms <n>", "how many VMs are asked for", wholeNumber(1, 1_000_000), 4000)
  .option("--minutes <n>", "over how long they are asked for", aboveZero, 10)
  .option(
    "--seed <n>",
    "repeats the choices, if not the moments",
    wholeNumber(0, 2 ** 31),
    Math.floor(Math.random() * 2 ** 31),
  )
  .option("--server-pause <seconds>", "mean pause between two faults of the server", aboveZero, 30)
  .option("--host-pause <seconds>", "mean pause between two faults of one host", aboveZero, 60)
  .option("--json", "print the account as JSON")
  .addHelpText(
    "after",
    `\nEnds with 0 if everything adds up, with ${exitCodes.unbalanced} if anything was lost, doubled or left.`,
  )
  .parse();

const options = program.opts();
const startMs = performance.now();
const say = (line: string): void => {
  process.stderr.write(`${((performance.now() - startMs) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
};
const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    say("interrupted: everything is ended");
    interrupt.abort();
  });
}
say(`seed ${options.seed}: ${options.vms} VMs on ${options.hosts} Macs, over ${options.minutes} minutes`);
const report = await run();
if (report !== undefined) {
  process.stdout.write(options.json === true ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report));
  if (report.complaints.length > 0) process.exitCode = exitCodes.unbalanced;
}

async function run(): Promise<PoolRunReport | undefined> {
  try {
    return await runPool({
      hosts: options.hosts,
      vms: options.vms,
      durationMs: options.minutes * 60_000,
      seed: options.seed,
      serverPauseMs: options.serverPause * 1000,
      hostPauseMs: options.hostPause * 1000,
      losesHosts: true,
      settleMaxMs: 180_000,
      onProgress: say,
      signal: interrupt.signal,
    });
  } catch (error) {
    if (!interrupt.signal.aborted) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = interrupt.signal.aborted ? exitCodes.interrupted : exitCodes.broken;
    return undefined;
  }
}

function aboveZero(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}
