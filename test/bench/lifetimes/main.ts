/**
 * `npm run lifetimes`: how the data directory fares over very many lives of VMs: its size, what is written for each life, how
 * long commits take, and how long the next start reads.
 */
import { join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { renderTable } from "../../../cli/output/table.ts";
import { wholeNumber } from "../../../cli/values/number.ts";
import { openScratchDisk } from "../scratch-disk.ts";
import { measureLifetimes, type Stretch } from "./measure.ts";

const number = <Flags extends string>(flags: Flags, text: string, byDefault: number) =>
  new Option(flags, text).argParser(wholeNumber(1, 1e8)).default(byDefault);

const options = new Command("lifetimes")
  .description("Lets very many VMs live and go on one data directory, and measures how the directory fares.")
  .addOption(number("--vms <number>", "how many VMs live in all", 1_000_000))
  .addOption(number("--stretches <number>", "how often to stop, measure and start anew on the way", 10))
  .addOption(number("--macs <number>", "how many Macs", 200))
  .addOption(number("--running <number>", "how many VMs run at a time", 1000))
  .addOption(number("--ends-per-second <number>", "how many lives end in a second of the pool's time", 30))
  .option("--dir <directory>", "where to keep the data meanwhile", ".bench")
  .option("--json", "print JSON")
  .parse()
  .opts();

const disk = openScratchDisk(options.dir);
const stretches: Stretch[] = [];
try {
  for await (const stretch of measureLifetimes({ ...options, directory: join(disk.path, "data") })) {
    stretches.push(stretch);
    process.stderr.write(`${stretch.lives} lives, ${stretch.livesPerSecond.toFixed(0)} a second\n`);
  }
} finally {
  disk.remove();
}
process.stdout.write(
  options.json === true ? `${JSON.stringify({ ...options, syncMs: disk.syncMs, stretches }, null, 2)}\n` : describe(),
);

function describe(): string {
  const column = (title: string, text: (row: Stretch) => string) => ({ title, text, align: "right" }) as const;
  const table = renderTable(
    stretches,
    [
      column("LIVES", ({ lives }) => String(lives)),
      column("A SECOND", ({ livesPerSecond }) => livesPerSecond.toFixed(0)),
      column("RECORDS", ({ records }) => String(records)),
      column("LIVE MiB", ({ liveMib }) => liveMib.toFixed(1)),
      column("DISK MiB", ({ diskMib }) => diskMib.toFixed(1)),
      column("HANDED KiB", ({ handedKib }) => handedKib.toFixed(1)),
      column("WRITTEN KiB", ({ writtenKib }) => writtenKib?.toFixed(1) ?? "?"),
      column("COMMITS", ({ commits }) => String(commits)),
      column("P50 ms", ({ commitMs }) => commitMs.p50.toFixed(2)),
      column("P99", ({ commitMs }) => commitMs.p99.toFixed(1)),
      column("MAX", ({ commitMs }) => commitMs.max.toFixed(0)),
      column("OPEN ms", ({ openMs }) => openMs.toFixed(0)),
    ],
    { width: Number.POSITIVE_INFINITY, paint: (text) => text },
  );
  return `A sync takes ${disk.syncMs.toFixed(2)} ms here. Handed and written are for each life.\n\n${table}`;
}
