/** Moments, as ages and as dates. */
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { formatDuration } from "../values/duration.ts";

/** How long ago, by this machine's clock; "-" when the moment is not known. */
export function age(time: Timestamp | undefined, nowMs: number): string {
  if (time === undefined) return "-";
  const ageMs = nowMs - timestampDate(time).getTime();
  // Below a second, and for servers whose clock is ahead of ours, a number would only pretend.
  return ageMs < 1000 ? "now" : formatDuration(ageMs);
}

/** The moment in UTC to the second, and how long ago that was, or how far ahead it is. */
export function moment(time: Timestamp | undefined, nowMs: number): string {
  if (time === undefined) return "";
  const leftMs = timestampDate(time).getTime() - nowMs;
  if (leftMs >= 1000) return `${isoSeconds(time)} (in ${formatDuration(leftMs)})`;
  const ago = age(time, nowMs);
  return `${isoSeconds(time)} (${ago === "now" ? ago : `${ago} ago`})`;
}

/** Such as 2026-11-22T15:04:05Z. */
export function isoSeconds(time: Timestamp): string {
  return timestampDate(time)
    .toISOString()
    .replace(/\.\d+Z$/, "Z");
}

/** The time between two moments in milliseconds, if both are known. */
export function spanMs(from: Timestamp | undefined, to: Timestamp | undefined): number | undefined {
  return from === undefined || to === undefined
    ? undefined
    : timestampDate(to).getTime() - timestampDate(from).getTime();
}
