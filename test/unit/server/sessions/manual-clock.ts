/** A clock that stands still until a test moves it. */
import type { Cancellable, Clock } from "../../../../shared/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
}

export class ManualClock implements Clock {
  private nowMs = 1_000;
  private readonly timers = new Set<Timer>();

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return 1_800_000_000_000 + this.nowMs;
  }

  after(delayMs: number, action: () => void): Cancellable {
    const timer: Timer = { atMs: this.nowMs + Math.max(0, delayMs), action };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  /** Moves on, and does on the way what is due, in order. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const next = [...this.timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.action();
    }
    this.nowMs = endMs;
  }

  get timerCount(): number {
    return this.timers.size;
  }
}
