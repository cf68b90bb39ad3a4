/** A clock that stands until it is moved, and runs timers in their order when it is. */
import type { Clock } from "../../../shared/clock.ts";

export interface ManualClock extends Clock {
  /** Moves on, running what falls due, and what that sets going, on the way. */
  advance(durationMs: number): Promise<void>;
  /** How many timers wait. */
  readonly waitingCount: number;
}

export function createManualClock(): ManualClock {
  let nowMs = 0;
  let timers: { readonly dueMs: number; readonly action: () => void }[] = [];
  return {
    monotonicMs: () => nowMs,
    wallMs: () => 1_790_000_000_000 + nowMs,
    after(delayMs, action) {
      const timer = { dueMs: nowMs + Math.max(0, delayMs), action };
      timers.push(timer);
      return { cancel: () => (timers = timers.filter((other) => other !== timer)) };
    },
    get waitingCount() {
      return timers.length;
    },
    async advance(durationMs) {
      const endMs = nowMs + durationMs;
      for (;;) {
        await settle();
        const next = timers.toSorted((left, right) => left.dueMs - right.dueMs)[0];
        if (next === undefined || next.dueMs > endMs) break;
        timers = timers.filter((timer) => timer !== next);
        nowMs = next.dueMs;
        next.action();
      }
      nowMs = endMs;
    },
  };
}

/** Lets every promise that is due go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
