/** What is measured: names that programs rely on, with their units. */

export const metricUnits = {
  p50_ms: "ms",
  p99_ms: "ms",
  max_ms: "ms",
  per_second: "1/s",
  serving_ms: "ms",
  cpu_percent: "%",
  rss_mib: "MiB",
} as const;

export type Metric = keyof typeof metricUnits;

/** The value of each metric in one run. */
export type RunResult = Partial<Readonly<Record<Metric, number>>>;

/** Whether less is better. */
export function isLessBetter(metric: Metric): boolean {
  return metric !== "per_second";
}
