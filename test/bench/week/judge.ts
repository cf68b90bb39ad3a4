/** What a replayed week came to: waits, use of the Macs, and fairness. */
import { required } from "../../../shared/assert.ts";
import { quantile } from "../statistics.ts";
import { dayMs, hourMs, type Project, projects } from "./demand.ts";
import type { Outcome } from "./replay.ts";

export interface WeekReport {
  readonly waits: readonly ProjectWaits[];
  /** The share of macOS slots that were taken, by hour of the day. */
  readonly hours: readonly { readonly hour: number; readonly share: number }[];
  /** The same over the whole time. */
  readonly use: number;
  readonly hostUse: { readonly least: number; readonly most: number };
  /** Absent: the two never waited at the same time. */
  readonly fairness?: Fairness;
}

export interface ProjectWaits {
  readonly project: Project;
  readonly count: number;
  /** The share of jobs that were not placed at once. */
  readonly waited: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Fairness {
  /** How long both equal projects had jobs that waited. */
  readonly contendedMs: number;
  /** How many waiting jobs of each were placed in that time. */
  readonly starts: readonly [number, number];
  /** How far the smaller of the two is below the larger, from 0 to 1. */
  readonly difference: number;
}

/** A job that is placed within this has not waited: it is one or two turns of the engine. */
const promptMs = 1000;

export function judge(
  outcomes: readonly Outcome[],
  { macs, days }: { readonly macs: number; readonly days: number },
): WeekReport {
  const spanMs = days * dayMs;
  const macos = outcomes.filter(({ job }) => job.template === "macos");
  const byHost = new Map<string, number>();
  for (const { host, placedMs, freedMs } of macos) byHost.set(host, (byHost.get(host) ?? 0) + freedMs - placedMs);
  const shares = Array.from(byHost.values(), (takenMs) => takenMs / (2 * spanMs));
  const fairness = fairnessOf(macos);
  return {
    waits: projects.map((project) => waitsOf(project, outcomes)),
    hours: hoursOf(macos, { slots: macs * 2, days }),
    use: shares.reduce((sum, share) => sum + share, 0) / macs,
    hostUse: { least: byHost.size < macs ? 0 : Math.min(...shares), most: Math.max(...shares) },
    ...(fairness === undefined ? {} : { fairness }),
  };
}

function waitsOf(project: Project, outcomes: readonly Outcome[]): ProjectWaits {
  const waits = outcomes.filter(({ job }) => job.project === project).map(({ waitMs }) => waitMs);
  return {
    project,
    count: waits.length,
    waited: waits.filter((waitMs) => waitMs > promptMs).length / waits.length,
    meanMs: waits.reduce((sum, waitMs) => sum + waitMs, 0) / waits.length,
    p50Ms: quantile(waits, 0.5),
    p90Ms: quantile(waits, 0.9),
    p99Ms: quantile(waits, 0.99),
    maxMs: quantile(waits, 1),
  };
}

function hoursOf(
  macos: readonly Outcome[],
  { slots, days }: { readonly slots: number; readonly days: number },
): WeekReport["hours"] {
  const takenMs = Array.from({ length: 24 }, () => 0);
  for (const { placedMs, freedMs } of macos) {
    for (let fromMs = placedMs; fromMs < freedMs; ) {
      const toMs = Math.min(freedMs, (Math.floor(fromMs / hourMs) + 1) * hourMs);
      const hour = Math.floor(fromMs / hourMs) % 24;
      takenMs[hour] = (takenMs[hour] ?? 0) + toMs - fromMs;
      fromMs = toMs;
    }
  }
  return takenMs.map((ms, hour) => ({ hour, share: ms / (slots * days * hourMs) }));
}

/** Who was served while jobs of equal priority of both equal projects waited for macOS slots. */
function fairnessOf(macos: readonly Outcome[]): Fairness | undefined {
  const waiting = macos.filter(
    ({ waitMs, job }) => waitMs > promptMs && job.priority === 50 && job.project !== "nightly",
  );
  const edges = waiting
    .flatMap(({ job, placedMs }) => [
      { atMs: job.atMs, project: job.project, change: 1 },
      { atMs: placedMs, project: job.project, change: -1 },
    ])
    .sort((a, b) => a.atMs - b.atMs || b.change - a.change);
  const inLine = { app: 0, tools: 0, nightly: 0 };
  const starts = { app: 0, tools: 0, nightly: 0 };
  let contendedMs = 0;
  let lastMs = edges[0]?.atMs ?? 0;
  for (const { atMs, project, change } of edges) {
    const isContended = inLine.app > 0 && inLine.tools > 0;
    if (isContended) contendedMs += atMs - lastMs;
    if (isContended && change === -1) starts[project] += 1;
    inLine[project] += change;
    lastMs = atMs;
  }
  if (starts.app + starts.tools === 0) return undefined;
  const [less, more] = [Math.min(starts.app, starts.tools), Math.max(starts.app, starts.tools)];
  return { contendedMs, starts: [starts.app, starts.tools], difference: 1 - less / required(more, "starts") };
}
