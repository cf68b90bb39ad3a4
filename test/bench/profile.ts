/** Where a server's CPU time went: sums a profile of `--cpu-prof` by function and by file, without what they call. */
import { readFileSync } from "node:fs";
import { renderTable } from "../../cli/output/table.ts";

/** What of V8's format is used. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** The time before each sample, in microseconds. */
  readonly timeDeltas: readonly number[];
}

const rowsMax = 40;

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("name a .cpuprofile file");
// The file is written by V8; what is used of it has been the same for years.
const profile = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;

const byFunction = new Map<string, number>();
const byFile = new Map<string, number>();
const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
let busyUs = 0;
for (const [at, id] of profile.samples.entries()) {
  const frame = frames.get(id);
  const elapsedUs = profile.timeDeltas[at] ?? 0;
  if (frame === undefined || frame.functionName === "(idle)") continue;
  busyUs += elapsedUs;
  const file = shortened(frame.url);
  add(byFile, file === "" ? frame.functionName : file, elapsedUs);
  add(byFunction, `${frame.functionName || "(anonymous)"} ${file}:${frame.lineNumber + 1}`, elapsedUs);
}
process.stdout.write(
  `${(busyUs / 1e6).toFixed(2)} s busy\n\n${table("FILE", byFile)}\n${table("FUNCTION", byFunction)}`,
);

function shortened(url: string): string {
  return url
    .replace(/^file:\/\//, "")
    .replace(/^.*\/node_modules\//, "")
    .replace(process.cwd(), "");
}

function add(sums: Map<string, number>, key: string, value: number): void {
  sums.set(key, (sums.get(key) ?? 0) + value);
}

function table(title: string, sums: ReadonlyMap<string, number>): string {
  const rows = [...sums].sort(([, a], [, b]) => b - a).slice(0, rowsMax);
  return renderTable(
    rows,
    [
      { title: "SHARE", text: ([, us]) => `${((100 * us) / busyUs).toFixed(1)} %`, align: "right" },
      { title: "MS", text: ([, us]) => (us / 1000).toFixed(0), align: "right" },
      { title, text: ([key]) => key },
    ],
    { width: Number.POSITIVE_INFINITY, paint: (text) => text },
  );
}
