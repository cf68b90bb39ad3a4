/** Runs of a scenario that repeat one step, and what they used. */
import type { PoolUnderLoad } from "./load/pool-under-load.ts";
import type { RunResult } from "./metrics.ts";
import { cpuPercent } from "./process-usage.ts";
import { median, quantile } from "./statistics.ts";

export interface Repetition {
  readonly runs: number;
  /** Samples of one run. */
  readonly samples: number;
  /** Samples before the first run, which are not counted. */
  readonly warmUp: number;
}

/** Takes samples one after the other. @param sample measures once and returns ms. */
export async function repeatLatency(
  pool: PoolUnderLoad,
  { runs, samples, warmUp }: Repetition,
  sample: () => Promise<number>,
): Promise<readonly RunResult[]> {
  for (let at = 0; at < warmUp; at += 1) await sample();
  const results: RunResult[] = [];
  for (let run = 0; run < runs; run += 1) {
    const times: number[] = [];
    const usage = await withUsage(pool, async () => {
      for (let at = 0; at < samples; at += 1) times.push(await sample());
    });
    results.push({ ...latency(times), ...usage });
  }
  return results;
}

export function latency(times: readonly number[]): RunResult {
  return { p50_ms: median(times), p99_ms: quantile(times, 0.99), max_ms: Math.max(...times) };
}

/** The server's CPU time during the work, and the most memory that it has held until then. */
export async function withUsage(pool: PoolUnderLoad, work: () => Promise<void>): Promise<RunResult> {
  const before = pool.server.usage();
  await work();
  const after = pool.server.usage();
  if (before === undefined || after === undefined) return {};
  return { cpu_percent: cpuPercent(before, after), rss_mib: after.peakRssMib };
}

/** As `withUsage`, and what each of `count` VMs cost. */
export async function withUsageEach(pool: PoolUnderLoad, count: number, work: () => Promise<void>): Promise<RunResult> {
  const revisionBefore = (await pool.readPool()).revision;
  const before = pool.server.usage();
  await work();
  const after = pool.server.usage();
  const syncs = Number((await pool.readPool()).revision - revisionBefore) / count;
  if (before === undefined || after === undefined) return { syncs_each: syncs };
  return {
    cpu_percent: cpuPercent(before, after),
    rss_mib: after.peakRssMib,
    cpu_us_each: (1000 * (after.cpuMs - before.cpuMs)) / count,
    syncs_each: syncs,
    written_kib_each: (after.writtenKib - before.writtenKib) / count,
  };
}
