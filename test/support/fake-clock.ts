/**
 * A clock that moves only when a test says so. Timers run in the order of their times, those of one time in the order in
 * which they were started, each at the moment it asked for. The wall clock can be set apart from the monotonic one, as people do.
 */
import type { Cancellable, Clock } from "../../shared/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
}

export class FakeClock implements Clock {
  private nowMs = 0;
  private wallOffsetMs: number;
  /** In the order in which they were started. */
  private readonly timers = new Set<Timer>();

  /** @param startWallMs what `wallMs` says at first. */
  constructor(startWallMs: number = Date.UTC(2026, 0, 1)) {
    this.wallOffsetMs = startWallMs;
  }

  /** How many timers are waiting. */
  get timerCount(): number {
    return this.timers.size;
  }

  /** How long until the next timer runs, or nothing if none waits. */
  get nextDelayMs(): number | undefined {
    const first = this.firstTimer();
    return first === undefined ? undefined : first.atMs - this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.wallOffsetMs + this.nowMs;
  }

  after(delayMs: number, action: () => void): Cancellable {
    const timer = { atMs: this.nowMs + Math.max(0, delayMs), action };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }

  /** Moves time on and runs every timer that is due meanwhile, those included that are started on the way. */
  advance(spanMs: number): void {
    const endMs = this.nowMs + spanMs;
    for (;;) {
      const timer = this.firstTimer();
      if (timer === undefined || timer.atMs > endMs) break;
      this.timers.delete(timer);
      this.nowMs = timer.atMs;
      timer.action();
    }
    this.nowMs = endMs;
  }

  /** Someone sets the machine's clock; timers and `monotonicMs` do not notice. */
  setWall(wallMs: number): void {
    this.wallOffsetMs = wallMs - this.nowMs;
  }

  private firstTimer(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (first === undefined || timer.atMs < first.atMs) first = timer;
    }
    return first;
  }
}
