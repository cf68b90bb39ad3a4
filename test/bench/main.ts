/** `npm run bench`: measures scenarios against a real server, and prints what came out. */
import { writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, Option } from "@commander-js/extra-typings";
import { writeFigures } from "./figures-page.ts";
import { measureScenario } from "./measure.ts";
import { momentMs } from "./moment.ts";
import { formatPageTable, formatTable, jsonLines, type Measured } from "./report.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";
import { openScratchDisk } from "./scratch-disk.ts";

const names = scenarios.map(({ name }) => name);
const defaultDir = fileURLToPath(new URL("../../.bench", import.meta.url));

const program = new Command("bench")
  .description("Measures the server, with its clients and agents on the same machine.")
  .argument("[scenario...]", `which ones: ${names.join(", ")} (default: all)`)
  .option("--json <file>", "write the medians there, for programs")
  .option("--page <file>", "write the table into that page of the documentation; for a whole run on a quiet machine")
  .option("--short", "few hosts, few samples: only shows that the scenarios work")
  .addOption(
    new Option("--dir <dir>", "where the servers keep their data while they run").default(defaultDir, ".bench"),
  )
  .option("--cpu-prof <dir>", "write a profile of each server's CPU time there; for test/bench/profile.ts")
  .parse();

const options = program.opts();
if (options.short === true && options.page !== undefined) program.error("a short run has no figures for a page");
// Ends in order, so that neither processes nor files are left behind.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
const disk = openScratchDisk(options.dir);
process.once("exit", () => disk.remove());
const conditions =
  `Node ${process.version} on ${availableParallelism()} cores, server, clients and agents together; ` +
  `a synced write of 4 KiB takes ${disk.syncMs.toFixed(2)} ms`;
process.stdout.write(`${conditions} in ${options.dir}.\n\n`);
// Of the minute before: what others do at the time spoils the figures.
const [loadBefore = 0] = loadavg();
const measured: Measured[] = [];
for (const scenario of chosenScenarios(program.args)) measured.push(await measure(scenario));
process.stdout.write(`\n${formatTable(measured, options.short !== true)}\n`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(jsonLines(measured), null, 2)}\n`);
if (options.page !== undefined) {
  const load = loadBefore.toFixed(1);
  const text = `${formatPageTable(measured)}\n\n${conditions}. The machine's load before the run was ${load}.`;
  writeFigures(options.page, text);
}

function chosenScenarios(wanted: readonly string[]): readonly Scenario[] {
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) program.error(`there is no scenario ${unknown}; there are ${names.join(", ")}`);
  return wanted.length === 0 ? scenarios : scenarios.filter(({ name }) => wanted.includes(name));
}

async function measure(scenario: Scenario): Promise<Measured> {
  process.stdout.write(`${scenario.name}: ${scenario.title} … `);
  const startMs = momentMs();
  const runs = await measureScenario(scenario, {
    directory: disk.path,
    isShort: options.short === true,
    profileDir: options.cpuProf,
  });
  process.stdout.write(`${((momentMs() - startMs) / 1000).toFixed(1)} s\n`);
  return { scenario, runs };
}
