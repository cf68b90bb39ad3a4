/** What many samples come to. */
import { required } from "../../shared/assert.ts";

/** The value below which the given share of the samples lies, by the nearest rank: always one of the samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return required(sorted[rank - 1], "sample");
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}
