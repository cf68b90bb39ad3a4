/** Times and spans: milliseconds within the server, Timestamp and Duration on the wire. */
import { type Duration, durationFromMs, durationMs, type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { FieldChecks, NumberBounds } from "../field-checks.ts";

export const toTimestamp = (timeMs: number): Timestamp => timestampFromMs(timeMs);
export const toDuration = (spanMs: number): Duration => durationFromMs(spanMs);

/** A span in ms within bounds; undefined if it is absent. */
export function readDuration(
  checks: FieldChecks,
  field: { readonly path: string; readonly value: Duration | undefined },
  bounds: NumberBounds,
): number | undefined {
  if (field.value === undefined) return undefined;
  const { seconds, nanos } = field.value;
  // Far beyond every bound, and well within what a number can hold.
  const isSane = seconds > -secondsMax && seconds < secondsMax && Math.abs(nanos) < 1e9;
  const spanMs = isSane ? Math.ceil(durationMs(field.value)) : Number.NaN;
  if (!(spanMs >= bounds.least && spanMs <= bounds.most)) {
    checks.refuse(field.path, `must be from ${describeSpan(bounds.least)} to ${describeSpan(bounds.most)}`);
    return bounds.least;
  }
  return spanMs;
}

/** A time in ms since 1970; undefined if it is absent. */
export function readTimestamp(
  checks: FieldChecks,
  field: { readonly path: string; readonly value: Timestamp | undefined },
  bounds: NumberBounds,
): number | undefined {
  if (field.value === undefined) return undefined;
  const timeMs = Number(field.value.seconds) * 1000 + Math.floor(field.value.nanos / 1e6);
  if (!(timeMs >= bounds.least && timeMs <= bounds.most)) {
    checks.refuse(field.path, "is too far away");
    return bounds.least;
  }
  return timeMs;
}

const secondsMax = 10_000_000_000n;

function describeSpan(spanMs: number): string {
  return spanMs % 1000 === 0 ? `${spanMs / 1000} s` : `${spanMs} ms`;
}
