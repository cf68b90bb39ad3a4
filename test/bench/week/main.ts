/**
 * `npm run week`: replays a week of builds through the real placement on simulated time, and prints who waited how long, how
 * well the Macs were used, and whether equal projects were served alike.
 */
import { Command, Option } from "@commander-js/extra-typings";
import { renderTable } from "../../../cli/output/table.ts";
import { wholeNumber } from "../../../cli/values/number.ts";
import { momentMs } from "../moment.ts";
import { dayMs, makeDemand } from "./demand.ts";
import { judge, type WeekReport } from "./judge.ts";
import { replayWeek } from "./replay.ts";

const options = new Command("week")
  .description("Replays a week of builds through the real placement, on simulated time.")
  .addOption(new Option("--macs <number>", "how many Macs").argParser(wholeNumber(1, 10_000)).default(40))
  .addOption(
    new Option("--days <number>", "how many days, beginning with a Monday").argParser(wholeNumber(1, 28)).default(7),
  )
  .addOption(
    new Option("--load <percent>", "the average need of macOS slots").argParser(wholeNumber(1, 200)).default(60),
  )
  .addOption(new Option("--seed <number>", "another week").argParser(wholeNumber(0, 2 ** 31)).default(1))
  .addOption(
    new Option("--greed <number>", "how many times its share the project app asks for")
      .argParser(wholeNumber(1, 10))
      .default(1),
  )
  .option("--json", "print JSON")
  .parse()
  .opts();

const startMs = momentMs();
const jobs = makeDemand({ ...options, load: options.load / 100 });
const report = judge(await replayWeek(jobs, options), options);
const seconds = (momentMs() - startMs) / 1000;
process.stdout.write(
  options.json === true ? `${JSON.stringify({ ...options, ...report }, null, 2)}\n` : describe(report),
);

function describe({ waits, hours, fairness, use, hostUse }: WeekReport): string {
  const plain = { width: Number.POSITIVE_INFINITY, paint: (text: string): string => text };
  const minutes = (ms: number): string => (ms / 60_000).toFixed(1);
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const waitTable = renderTable(
    waits,
    [
      { title: "PROJECT", text: ({ project }) => project },
      { title: "JOBS", text: ({ count }) => String(count), align: "right" },
      { title: "WAITED", text: ({ waited }) => percent(waited), align: "right" },
      { title: "MEAN MIN", text: ({ meanMs }) => minutes(meanMs), align: "right" },
      { title: "P50", text: ({ p50Ms }) => minutes(p50Ms), align: "right" },
      { title: "P90", text: ({ p90Ms }) => minutes(p90Ms), align: "right" },
      { title: "P99", text: ({ p99Ms }) => minutes(p99Ms), align: "right" },
      { title: "MAX", text: ({ maxMs }) => minutes(maxMs), align: "right" },
    ],
    plain,
  );
  const hourTable = renderTable(
    hours,
    [
      { title: "HOUR", text: ({ hour }) => `${String(hour).padStart(2, "0")}:00`, align: "right" },
      { title: "SLOTS USED", text: ({ share }) => percent(share), align: "right" },
      { title: "", text: ({ share }) => "█".repeat(Math.round(share * 40)) },
    ],
    plain,
  );
  return [
    `${jobs.length} builds of ${options.days} days on ${options.macs} Macs, ${((options.days * dayMs) / 1000 / seconds / 3600).toFixed(1)} hours a second\n`,
    waitTable,
    `macOS slots used: ${percent(use)} on average; of a Mac from ${percent(hostUse.least)} to ${percent(hostUse.most)}\n`,
    hourTable,
    fairness === undefined
      ? "the equal projects never waited at the same time\n"
      : `while both equal projects waited (${minutes(fairness.contendedMs)} min), app got ${fairness.starts[0]} starts and tools ` +
        `${fairness.starts[1]}: ${percent(fairness.difference)} apart\n`,
  ].join("\n");
}
