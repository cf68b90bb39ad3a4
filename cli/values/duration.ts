/** Spans of time as people write them: 90s, 5m, 1h30m, 250ms, 2d. */
import { InvalidArgumentError } from "@commander-js/extra-typings";

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds; a number without a unit counts seconds. */
export function parseDurationMs(text: string): number {
  const durationMs = readDurationMs(text);
  if (!Number.isSafeInteger(durationMs)) throw new InvalidArgumentError("That is longer than anything lasts.");
  return durationMs;
}

function readDurationMs(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) {
    throw new InvalidArgumentError("Write a duration such as 90s, 5m or 1h30m.");
  }
  let totalMs = 0;
  for (const [, amount, unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    totalMs += Number(amount) * (unitsMs[unit] ?? 0);
  }
  return Math.round(totalMs);
}

/** The two largest units that matter: 45s, 5m, 1h30m, 3d2h. Below a second: 250ms. */
export function formatDuration(durationMs: number): string {
  if (durationMs > 0 && durationMs < 1000) return `${Math.round(durationMs)}ms`;
  const seconds = Math.max(0, Math.round(durationMs / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 600) return joined(seconds, 60, ["m", "s"]);
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}m`;
  if (minutes < 1440) return joined(minutes, 60, ["h", "m"]);
  return joined(Math.round(minutes / 60), 24, ["d", "h"]);
}

function joined(amount: number, size: number, [large, small]: readonly [string, string]): string {
  const rest = amount % size;
  return `${Math.floor(amount / size)}${large}${rest === 0 ? "" : `${rest}${small}`}`;
}
