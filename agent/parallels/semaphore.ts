/** A few may work at once, the others wait in the order in which they came, up to a bound. */

export interface SemaphoreOptions {
  /** How many may work at once. */
  readonly slots: number;
  /** How many may wait; one more is refused. */
  readonly waitersMax: number;
}

export class Semaphore {
  readonly #options: SemaphoreOptions;
  readonly #waiters = new Set<() => void>();
  #takenCount = 0;

  constructor(options: SemaphoreOptions) {
    this.#options = options;
  }

  /** True when a slot was taken, which must then be released; false when too many wait already. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (this.#takenCount < this.#options.slots) {
      this.#takenCount += 1;
      return true;
    }
    if (this.#waiters.size >= this.#options.waitersMax) return false;
    return new Promise((resolve, reject) => {
      const onTurn = (): void => {
        signal.removeEventListener("abort", onAbort);
        resolve(true);
      };
      const onAbort = (): void => {
        this.#waiters.delete(onTurn);
        reject(signal.reason);
      };
      this.#waiters.add(onTurn);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Hands the slot to whoever waits longest. */
  release(): void {
    const [next] = this.#waiters;
    if (next === undefined) {
      this.#takenCount -= 1;
      return;
    }
    this.#waiters.delete(next);
    next();
  }
}
