/** What is measured: names that programs rely on, with their units. */

export const metricUnits = {
  p50_ms: "ms",
  p99_ms: "ms",
  max_ms: "ms",
  per_second: "1/s",
  serving_ms: "ms",
  cpu_percent: "%",
  rss_mib: "MiB",
  /** What the server's data directory takes on the disk. */
  store_mib: "MiB",
  /** CPU time of the server for each VM or event: where cores are shared, it says more than a rate. */
  cpu_us_each: "µs",
  /** Synced batches, and what the server wrote to disks, for each VM. */
  syncs_each: "",
  written_kib_each: "KiB",
} as const;

/** How people read them. */
export const metricWords: Readonly<Record<keyof typeof metricUnits, string>> = {
  p50_ms: "p50",
  p99_ms: "p99",
  max_ms: "max",
  per_second: "rate",
  serving_ms: "serving again",
  cpu_percent: "CPU of the server",
  rss_mib: "peak memory of the server",
  store_mib: "size of the store",
  cpu_us_each: "CPU of the server for each",
  syncs_each: "syncs for each",
  written_kib_each: "written for each",
};

export type Metric = keyof typeof metricUnits;

/** The value of each metric in one run. */
export type RunResult = Partial<Readonly<Record<Metric, number>>>;

/** Whether less is better. */
export function isLessBetter(metric: Metric): boolean {
  return metric !== "per_second";
}
