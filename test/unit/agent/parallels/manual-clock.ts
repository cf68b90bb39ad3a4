/** A clock that stands still until a test moves it. */
import type { Cancellable, Clock } from "../../../../shared/clock.ts";

export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly action: () => void }>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  /** Wall time begins at the real one, since servers of tests use that. */
  readonly #wallStartMs = Date.now();

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs;
  }

  after(delayMs: number, action: () => void): Cancellable {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), action };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** How many timers wait. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** Moves on by `delayMs`, and runs what falls due on the way in its order. */
  advance(delayMs: number): void {
    const endMs = this.#nowMs + delayMs;
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.action();
    }
    this.#nowMs = endMs;
  }
}
