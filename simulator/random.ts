/**
 * Randomness from a seed: the same seed gives the same Mac, the same delays and the same faults, so that a run can be
 * repeated. It is not fit for secrets.
 */

export interface Random {
  /** From 0 up to, but not including, 1. */
  fraction(): number;
  /** A real number from `min` up to `max`. */
  between(min: number, max: number): number;
  /** True with the given probability, 0 to 1. */
  chance(probability: number): boolean;
  /** `length` lower-case hex digits. */
  hex(length: number): string;
  /** An id in the form of a UUID of version 4. */
  uuid(): string;
}

/** A generator of 32 bits of state (mulberry32): small enough for ten thousand Macs, good enough for delays and ids. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const nextUint32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const fraction = (): number => nextUint32() / 2 ** 32;
  const hex = (length: number): string => {
    let digits = "";
    while (digits.length < length) digits += nextUint32().toString(16).padStart(8, "0");
    return digits.slice(0, length);
  };
  return {
    fraction,
    between: (min, max) => min + (max - min) * fraction(),
    chance: (probability) => probability > 0 && fraction() < probability,
    hex,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
  };
}

/** A seed of its own for each part of a run, so that one part's draws do not shift another's. */
export function deriveSeed(seed: number, part: number): number {
  return (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(part + 1, 0xc2b2ae35)) >>> 0;
}
