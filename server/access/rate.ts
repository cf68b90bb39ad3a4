/**
 * How often something may happen, for each of many keys: a bucket that is refilled steadily, kept as one number a key (the
 * time at which it would be full again). Keys whose bucket is full are forgotten.
 */

export interface Rate {
  /** How many a second in the long run. */
  readonly perSecond: number;
  /** How many at once. */
  readonly burst: number;
}

/** More keys than any pool has identities; a hundred bytes each. */
const keysMax = 10_000;

export class Rates {
  /** When the bucket of each key is full again, the least recently used key first. */
  private readonly fullAtMs = new Map<string, number>();
  private readonly keysMax: number;

  constructor(most: number = keysMax) {
    this.keysMax = most;
  }

  get size(): number {
    return this.fullAtMs.size;
  }

  /** Takes one from the key's bucket. Returns 0, or how long to wait, in ms, if it is empty; then nothing was taken. */
  take(key: string, { perSecond, burst }: Rate, nowMs: number): number {
    const eachMs = 1000 / perSecond;
    const fullAtMs = Math.max(this.fullAtMs.get(key) ?? 0, nowMs) + eachMs;
    const waitMs = fullAtMs - nowMs - Math.max(1, burst) * eachMs;
    // What arithmetic loses must not refuse the last of a burst.
    if (waitMs > 1e-6) return waitMs;
    this.fullAtMs.delete(key);
    if (this.fullAtMs.size >= this.keysMax) this.forget(nowMs);
    this.fullAtMs.set(key, fullAtMs);
    return 0;
  }

  /** Takes `count` more of a bucket from which something was taken, also more than is in it; gives back if it is negative. */
  charge(key: string, { perSecond }: Rate, count: number): void {
    const fullAtMs = this.fullAtMs.get(key);
    if (fullAtMs !== undefined) this.fullAtMs.set(key, fullAtMs + (count * 1000) / perSecond);
  }

  /** Those that are full, and the least recently used if there are none. */
  private forget(nowMs: number): void {
    for (const [key, fullAtMs] of this.fullAtMs) if (fullAtMs <= nowMs) this.fullAtMs.delete(key);
    for (const key of this.fullAtMs.keys()) {
      if (this.fullAtMs.size < this.keysMax) return;
      this.fullAtMs.delete(key);
    }
  }
}
