/**
 * How long VMs of a template hold their place on a host, as far as it was observed: a histogram whose older observations
 * count less and less. From it follows how long one that has been there for a while will probably stay.
 */

import type { TemplateId } from "../../shared/ids.ts";
import type { VmRecord } from "./vm.ts";

/** What was observed of one template's VMs. */
export interface LifetimesRecord {
  readonly id: TemplateId;
  /** Observations by bucket; the buckets are a quarter of a power of two wide. Absent ones are empty. */
  readonly counts: Readonly<Record<string, number>>;
  /** The sum of all counts. */
  readonly total: number;
  readonly updateTimeMs: number;
}

/** The upper bound of the first bucket, in ms, and how many there are: the last one ends after two months. */
const firstBucketMs = 1000;
const bucketsPerDoubling = 4;
const bucketCount = 90;

/** At this many observations all count half: a template whose VMs change their habits is believed after some hundred. */
const totalMax = 400;

/** The record with one more observation. */
export function observeLifetime(
  before: LifetimesRecord | undefined,
  observation: { readonly id: TemplateId; readonly spanMs: number; readonly timeMs: number },
): LifetimesRecord {
  const { id, spanMs, timeMs } = observation;
  const old = before !== undefined && before.total >= totalMax ? halved(before.counts) : (before?.counts ?? {});
  const bucket = String(bucketOf(spanMs));
  const counts = { ...old, [bucket]: (old[bucket] ?? 0) + 1 };
  return { id, counts, total: sumOf(counts), updateTimeMs: timeMs };
}

/**
 * How long a VM that has been there for `ageMs` will stay: within this time a share `quantile` (from 0 to 1) of those that
 * were observed to live that long had gone. Nothing if none was observed at all. One that is older than every observed one is
 * expected to stay for as long again.
 */
export function remainingMs(
  lifetimes: LifetimesRecord | undefined,
  { ageMs, quantile }: { readonly ageMs: number; readonly quantile: number },
): number | undefined {
  if (lifetimes === undefined || lifetimes.total === 0) return undefined;
  const first = bucketOf(ageMs);
  let survivors = 0;
  for (let bucket = first; bucket < bucketCount; bucket += 1) survivors += lifetimes.counts[String(bucket)] ?? 0;
  if (survivors === 0) return Math.max(firstBucketMs, ageMs);
  let toPass = survivors * quantile;
  for (let bucket = first; bucket < bucketCount; bucket += 1) {
    const count = lifetimes.counts[String(bucket)] ?? 0;
    if (count >= toPass && count > 0) {
      const from = Math.max(ageMs, lowerMs(bucket));
      return Math.max(0, from + (Math.max(from, upperMs(bucket)) - from) * (toPass / count) - ageMs);
    }
    toPass -= count;
  }
  return Math.max(firstBucketMs, ageMs);
}

/** When the VM got its present place. */
export function placedAtMs(vm: VmRecord): number {
  return vm.timeline.findLast(({ state }) => state === "PLACED")?.timeMs ?? vm.createTimeMs;
}

/**
 * How long a VM held its place that a change took from it, for VMs that were of use there; nothing for others. What could not
 * be made says nothing of how long VMs stay.
 */
export function endedStayMs(before: VmRecord | undefined, after: VmRecord | undefined): number | undefined {
  if (before?.host === undefined || after?.host === before.host) return undefined;
  const sinceMs = placedAtMs(before);
  const wasUp = before.timeline.some(({ state, timeMs }) => state === "RUNNING" && timeMs >= sinceMs);
  return wasUp ? Math.max(0, (after ?? before).updateTimeMs - sinceMs) : undefined;
}

function bucketOf(spanMs: number): number {
  if (spanMs <= firstBucketMs) return 0;
  const bucket = Math.ceil(Math.log2(spanMs / firstBucketMs) * bucketsPerDoubling);
  return Math.min(bucketCount - 1, bucket);
}

function upperMs(bucket: number): number {
  return firstBucketMs * 2 ** (bucket / bucketsPerDoubling);
}

function lowerMs(bucket: number): number {
  return bucket === 0 ? 0 : upperMs(bucket - 1);
}

function halved(counts: LifetimesRecord["counts"]): LifetimesRecord["counts"] {
  return Object.fromEntries(
    Object.entries(counts).flatMap(([bucket, count]) => (count < 2 ? [] : [[bucket, Math.floor(count / 2)]])),
  );
}

function sumOf(counts: LifetimesRecord["counts"]): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
