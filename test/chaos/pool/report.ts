/** The account of a pool under failures, for people. */
import { renderTable } from "../../../cli/output/table.ts";
import { quantile } from "../../bench/statistics.ts";
import type { PoolRunReport } from "./pool-run.ts";

export function formatReport(report: PoolRunReport): string {
  const { complaints, faults, failures, restartsMs } = report;
  const failed = sum(failures);
  const deleted = report.ran - report.kept;
  return [
    tableOf("WHAT WENT WRONG", faults),
    ...(failed === 0 ? [] : [tableOf("WHY VMS FAILED", failures)]),
    `${report.acknowledged} changes acknowledged, ${report.created} of them creates: ${deleted} VMs came up and were deleted, ` +
      `${report.kept} ran to the end, ${report.givenUp} were given up early, ${failed} failed.\n` +
      `${report.made} VMs were made on the Macs, ${report.remade} made anew on another Mac; ${report.discarded} copies that an ` +
      `agent could not be sure of were removed before they ran.\n` +
      `${sum(faults)} faults; the server was serving again after p50 ${part(restartsMs, 0.5)} ms, at most ` +
      `${part(restartsMs, 1)} ms; all had settled ${(report.settledAfterMs / 1000).toFixed(1)} s after the last fault.\n`,
    complaints.length === 0
      ? "Everything adds up: nothing was lost, nothing made twice, nothing left behind.\n"
      : `It does not add up:\n${complaints.map((complaint) => `  ${complaint}\n`).join("")}`,
  ].join("\n");
}

function tableOf(title: string, counts: Readonly<Record<string, number>>): string {
  return renderTable(
    Object.entries(counts),
    [
      { title, text: ([what]) => what },
      { title: "TIMES", text: ([, times]) => String(times), align: "right" },
    ],
    { width: Number.POSITIVE_INFINITY, paint: (text) => text },
  );
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, times) => total + times, 0);
}

function part(values: readonly number[], share: number): string {
  return values.length === 0 ? "-" : quantile(values, share).toFixed(0);
}
