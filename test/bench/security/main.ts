/**
 * `npm run bench:security`: what TLS, certificates, tokens, access checks and limits cost. Scenarios are measured in turns,
 * against an insecure server and against a secure one whose agents have certificates and whose clients have tokens.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "@commander-js/extra-typings";
import { wholeNumber } from "../../../cli/values/number.ts";
import { measureScenario } from "../measure.ts";
import type { RunResult } from "../metrics.ts";
import { momentMs } from "../moment.ts";
import { scenarios } from "../scenarios.ts";
import { openScratchDisk } from "../scratch-disk.ts";
import { type Compared, compareRuns, formatComparison } from "./comparison.ts";

const defaultNames = ["idle-create", "burst-500", "hosts-10k"];

const program = new Command("bench:security")
  .description("Measures scenarios without and with security, in turns; each turn has a server of its own.")
  .argument("[scenario...]", `which ones (default: ${defaultNames.join(", ")})`)
  .option("--rounds <n>", "turns of each kind", wholeNumber(1, 100), 3)
  .option("--json <file>", "write the figures there, for programs")
  .option(
    "--cpu-prof <dir>",
    "write profiles of the servers' CPU time there, of each kind in its own; for test/bench/profile.ts",
  )
  .option("--short", "few hosts, few samples: only shows that it works")
  .parse();

const options = program.opts();
const isShort = options.short === true;
// Ends in order, so that neither processes nor files are left behind.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
const disk = openScratchDisk(fileURLToPath(new URL("../../../.bench", import.meta.url)));
process.once("exit", () => disk.remove());
const conditions = `Node ${process.version} on ${availableParallelism()} cores, all parts together`;
process.stdout.write(`${conditions}; a synced write of 4 KiB takes ${disk.syncMs.toFixed(2)} ms.\n\n`);

const compared: Compared[] = [];
for (const name of program.args.length === 0 ? defaultNames : program.args) compared.push(await compare(name));
const rows = compared.flatMap(compareRuns);
process.stdout.write(`\n${formatComparison(rows)}`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);

async function compare(name: string): Promise<Compared> {
  const scenario = scenarios.find((each) => each.name === name);
  if (scenario === undefined) return program.error(`there is no scenario ${name}`);
  const runs: Record<"insecure" | "secure", RunResult[]> = { insecure: [], secure: [] };
  for (let round = 0; round < (isShort ? 1 : options.rounds); round += 1) {
    for (const kind of ["insecure", "secure"] as const) {
      process.stdout.write(`${name}, ${kind} … `);
      const startMs = momentMs();
      const directory = join(disk.path, `${kind}-${round}`);
      const profileDir = options.cpuProf === undefined ? undefined : join(options.cpuProf, kind);
      const isSecure = kind === "secure";
      runs[kind].push(...(await measureScenario(scenario, { directory, isShort, isSecure, profileDir })));
      process.stdout.write(`${((momentMs() - startMs) / 1000).toFixed(1)} s\n`);
    }
  }
  return { scenario: name, ...runs };
}
