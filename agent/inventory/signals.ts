/**
 * Waiting for "something has changed" without a poll, and without missing what changes between a look and the wait for the
 * next: changes are counted, and the wait is for a count other than the one that was read before the look.
 */
import type { Clock } from "../../shared/clock.ts";
import { abortReason } from "../deadline.ts";

export class ChangeSignal {
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many changes there have been. */
  get count(): number {
    return this.#count;
  }

  /** Counts a change and wakes everyone who waits. */
  notify(): void {
    this.#count += 1;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  /** Resolves as soon as the count is not `since`, at the latest after `limitMs`; rejects with the signal's reason. */
  wait(since: number, limitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(abortReason(signal));
        return;
      }
      if (this.#count !== since) {
        resolve();
        return;
      }
      const finish = (): void => {
        timer.cancel();
        this.#waiters.delete(finish);
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = (): void => {
        timer.cancel();
        this.#waiters.delete(finish);
        reject(abortReason(signal));
      };
      const timer = this.#clock.after(limitMs, finish);
      this.#waiters.add(finish);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}
