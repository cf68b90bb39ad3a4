/**
 * Where a server's CPU time went: sums a profile of `--cpu-prof` by function and by file, without what they call; and by the
 * function of ours on whose behalf it was spent, which is the innermost one on the stack.
 */
import { readFileSync } from "node:fs";
import { renderTable } from "../../cli/output/table.ts";

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** What of V8's format is used. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    /** The nodes of the functions that were called from here. */
    readonly children?: readonly number[];
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
const byCause = new Map<string, number>();
const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
let busyUs = 0;
for (const [at, id] of profile.samples.entries()) {
  const frame = frames.get(id);
  const elapsedUs = profile.timeDeltas[at] ?? 0;
  if (frame === undefined || frame.functionName === "(idle)") continue;
  busyUs += elapsedUs;
  const file = shortened(frame.url);
  add(byFile, file === "" ? frame.functionName : file, elapsedUs);
  add(byFunction, nameOf(frame), elapsedUs);
  add(byCause, causeOf(id), elapsedUs);
}
process.stdout.write(`${(busyUs / 1e6).toFixed(2)} s busy\n\n`);
process.stdout.write([table("FILE", byFile), table("FUNCTION", byFunction), table("ON BEHALF OF", byCause)].join("\n"));

/** Our innermost function on the stack; without one, what stands at its beginning. */
function causeOf(id: number): string {
  let outermost = "";
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const frame = frames.get(at);
    if (frame === undefined || frame.functionName === "(root)") break;
    outermost = nameOf(frame);
    if (frame.url.startsWith("file:") && !frame.url.includes("/node_modules/")) break;
  }
  return outermost;
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  return `${functionName || "(anonymous)"} ${shortened(url)}:${lineNumber + 1}`;
}

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
