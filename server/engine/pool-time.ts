/**
 * The pool's time: ms since 1970 that never go back. It is set once, from the machine's clock or from the newest record if
 * that is later, and then follows the monotonic clock: someone who sets the machine's clock ends no lease and loses no host.
 */
import type { Clock } from "../../shared/clock.ts";

export class PoolTime {
  private readonly clock: Clock;
  private readonly startWallMs: number;
  private readonly startMonotonicMs: number;

  /** @param newestMs the time of the newest stored change. */
  constructor(clock: Clock, newestMs: number) {
    this.clock = clock;
    this.startWallMs = Math.max(clock.wallMs(), newestMs);
    this.startMonotonicMs = clock.monotonicMs();
  }

  nowMs(): number {
    return Math.floor(this.startWallMs + this.clock.monotonicMs() - this.startMonotonicMs);
  }
}
