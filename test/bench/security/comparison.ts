/** What security costs: the same figures with and without it, side by side. */
import { isLessBetter, type Metric, metricUnits, metricWords, type RunResult } from "../metrics.ts";
import { median } from "../statistics.ts";

/** All runs of one scenario. */
export interface Compared {
  readonly scenario: string;
  readonly insecure: readonly RunResult[];
  readonly secure: readonly RunResult[];
}

export interface ComparisonRow {
  readonly scenario: string;
  readonly metric: Metric;
  readonly unit: string;
  readonly insecure: Spread;
  readonly secure: Spread;
  /** How much worse it is with security: 1.2 is a fifth longer, or more, or fewer in a second. */
  readonly cost: number;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** What security has nothing to do with, or what is no cost, is left out. */
const metrics: readonly Metric[] = ["p50_ms", "p99_ms", "per_second", "cpu_us_each", "cpu_percent", "rss_mib"];

export function compareRuns({ scenario, insecure, secure }: Compared): readonly ComparisonRow[] {
  return metrics.flatMap((metric) => {
    const [before, after] = [insecure, secure].map((runs) => runs.flatMap((run) => run[metric] ?? []));
    if (before === undefined || after === undefined || before.length === 0 || after.length === 0) return [];
    const [plain, safe] = [spreadOf(before), spreadOf(after)];
    const cost = isLessBetter(metric) ? safe.median / plain.median : plain.median / safe.median;
    return [{ scenario, metric, unit: metricUnits[metric], insecure: plain, secure: safe, cost }];
  });
}

/** A table for a page of the documentation. */
export function formatComparison(rows: readonly ComparisonRow[]): string {
  const lines = rows.map(({ scenario, metric, unit, insecure, secure, cost }) =>
    [scenario, metricWords[metric], `${text(insecure)} ${unit}`, `${text(secure)} ${unit}`, cost.toFixed(2)].join(
      " | ",
    ),
  );
  return ["scenario | metric | insecure | secure | cost", "--- | --- | --- | --- | ---", ...lines]
    .map((line) => `| ${line} |\n`)
    .join("");
}

function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

function text({ median: middle, least, most }: Spread): string {
  return `${figure(middle)} (${figure(least)}..${figure(most)})`;
}

/** Three digits say all that such figures can. */
function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(value === 0 ? 1 : 3);
}
