/** Moments of the benchmark's processes. Node reads them from a clock that all processes of one machine share. */

/** Milliseconds since the machine's start, with fractions: comparable between the processes of one run. */
export function momentMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Resolves after `delayMs`. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
