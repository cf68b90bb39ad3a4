/** What was measured, for people and for programs. */
import { renderTable } from "../../cli/output/table.ts";
import { isLessBetter, type Metric, metricUnits, metricWords, type RunResult } from "./metrics.ts";
import type { Scenario } from "./scenario.ts";
import { median } from "./statistics.ts";

export interface Measured {
  readonly scenario: Scenario;
  readonly runs: readonly RunResult[];
}

/** One line of `--json`: the median of all runs, and how far they lie apart. */
export interface JsonLine {
  readonly scenario: string;
  readonly metric: Metric;
  readonly value: number;
  readonly unit: string;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
  /** What should be reached; absent: nothing in particular. */
  readonly bar?: number;
}

interface Row {
  readonly scenario: Scenario;
  readonly metric: Metric;
  readonly values: readonly number[];
}

export function jsonLines(measured: readonly Measured[]): readonly JsonLine[] {
  return measured.flatMap(rowsOf).map(({ scenario, metric, values }) => ({
    scenario: scenario.name,
    metric,
    value: rounded(median(values)),
    unit: metricUnits[metric],
    least: rounded(Math.min(...values)),
    most: rounded(Math.max(...values)),
    runs: values.length,
    ...(scenario.bars[metric] === undefined ? {} : { bar: scenario.bars[metric] }),
  }));
}

/** The table of `docs/performance.md`. */
export function formatPageTable(measured: readonly Measured[]): string {
  const lines = measured.flatMap(rowsOf).map((row) => {
    const { scenario, metric, values } = row;
    const unit = metricUnits[metric];
    const value = `${figure(median(values))}${unit === "" ? "" : ` ${unit}`}`;
    return `| ${[scenario.name, metricWords[metric], value, spread(values), values.length, barText(row)].join(" | ")} |`;
  });
  return [
    "| scenario | metric | median | spread | runs | aim |",
    "| --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

function rounded(value: number): number {
  return Number(value.toFixed(3));
}

/** @param hasBars whether the figures can be held against what should be reached: not those of a short run. */
export function formatTable(measured: readonly Measured[], hasBars: boolean): string {
  return renderTable(
    measured.flatMap(rowsOf),
    [
      { title: "SCENARIO", text: ({ scenario }) => scenario.name },
      { title: "METRIC", text: ({ metric }) => metric },
      { title: "MEDIAN", text: ({ values }) => figure(median(values)), align: "right" },
      { title: "SPREAD", text: ({ values }) => spread(values), align: "right" },
      { title: "RUNS", text: ({ values }) => String(values.length), align: "right" },
      ...(hasBars ? [{ title: "BAR", text: barText, align: "right" } as const] : []),
    ],
    { width: Number.POSITIVE_INFINITY, paint: (text) => text },
  );
}

function rowsOf({ scenario, runs }: Measured): readonly Row[] {
  // The names of a record lose their type in `Object.keys`.
  const metrics = Object.keys(metricUnits) as Metric[];
  return metrics.flatMap((metric) => {
    const values = runs.flatMap((run) => run[metric] ?? []);
    return values.length === 0 ? [] : [{ scenario, metric, values }];
  });
}

function barText({ scenario, metric, values }: Row): string {
  const bar = scenario.bars[metric];
  if (bar === undefined) return "";
  const value = median(values);
  const isReached = isLessBetter(metric) ? value <= bar : value >= bar;
  return `${isReached ? "" : "missed "}${isLessBetter(metric) ? "≤" : "≥"} ${bar}`;
}

function spread(values: readonly number[]): string {
  return values.length === 1 ? "" : `${figure(Math.min(...values))}..${figure(Math.max(...values))}`;
}

/** Three digits say all that such figures can. */
function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(value === 0 ? 1 : 3);
}
