/** Quantities as the service writes them: sizes with a unit in a text, Go's durations, ids with or without braces. */

/** The service counts in powers of two whatever the unit is called; a bare number is in MiB. */
const bytesByUnit: ReadonlyMap<string, number> = new Map([
  ["b", 1],
  ["k", 2 ** 10],
  ["m", 2 ** 20],
  ["", 2 ** 20],
  ["g", 2 ** 30],
  ["t", 2 ** 40],
]);

/** Whole MiB of "8192Mb", "8 GB", "538000 MB", "65536" or 65536; 0 for what is no size. */
export function parseSizeMib(size: unknown): number {
  if (typeof size !== "string" && typeof size !== "number") return 0;
  const match = /^\s*(\d{1,20}(?:\.\d{1,20})?)\s*(?:(b)|([kmgt]?)(?:i?b)?)\s*$/i.exec(String(size));
  const unitBytes = bytesByUnit.get((match?.[2] ?? match?.[3] ?? "").toLowerCase());
  if (match?.[1] === undefined || unitBytes === undefined) return 0;
  return Math.floor((Number(match[1]) * unitBytes) / 2 ** 20);
}

const msByUnit: ReadonlyMap<string, number> = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
]);

/** Milliseconds of "4m10s", "1h2m3.5s" or "350ms"; 0 for what is no duration. */
export function parseGoDurationMs(duration: string): number {
  if (!/^(?:\d{1,12}(?:\.\d{1,12})?(?:h|ms|m|s))+$/.test(duration)) return 0;
  let totalMs = 0;
  for (const [, amount, unit] of duration.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)) {
    totalMs += Number(amount) * (msByUnit.get(unit ?? "") ?? 0);
  }
  return Math.round(totalMs);
}

/** Parallels Desktop writes the same id with braces in some of its lists and without them in others. */
export function plainId(id: string): string {
  return id.trim().replace(/^\{(.*)\}$/, "$1");
}
