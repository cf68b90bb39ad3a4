/**
 * The pool's time: ms since 1970 that never go back, and that follow the time since the machine's start, which nobody can set.
 * So someone who sets the machine's clock ends no lease and loses no host, also if the server is started anew afterwards: it
 * goes on from where the machine's earlier server was. Only after a start of the machine does its clock tell the time, or the
 * newest record, if that is later.
 */
import type { Clock } from "../../shared/clock.ts";
import type { BootClock } from "../../shared/machine.ts";

/** What time it was at one moment, by the pool and by the machine: stored once in each run of the server. */
export interface TimeAnchor {
  readonly bootId: string;
  readonly uptimeMs: number;
  readonly poolMs: number;
}

export interface PoolTimeStart {
  /** The time of the newest stored change. */
  readonly newestMs: number;
  /** What an earlier run has stored. */
  readonly anchor?: TimeAnchor | undefined;
  /** Absent: every start is taken for one of the machine. */
  readonly boot?: BootClock | undefined;
}

export class PoolTime {
  /** For the next run; nothing if it could make no use of it. */
  readonly anchor: TimeAnchor | undefined;
  private readonly clock: Clock;
  private readonly startMs: number;
  private readonly startMonotonicMs: number;

  constructor(clock: Clock, { newestMs, anchor, boot }: PoolTimeStart) {
    const uptimeMs = boot?.uptimeMs() ?? 0;
    this.clock = clock;
    this.startMs = Math.max(newestMs, timeSince(anchor, boot, uptimeMs) ?? clock.wallMs());
    this.startMonotonicMs = clock.monotonicMs();
    this.anchor =
      boot === undefined || boot.bootId === "" ? undefined : { bootId: boot.bootId, uptimeMs, poolMs: this.startMs };
  }

  nowMs(): number {
    return Math.floor(this.startMs + this.clock.monotonicMs() - this.startMonotonicMs);
  }

  /** How far the machine's clock is ahead of the pool's time, in ms; behind, if it is negative. */
  wallAheadMs(): number {
    return this.clock.wallMs() - this.nowMs();
  }
}

function timeSince(anchor: TimeAnchor | undefined, boot: BootClock | undefined, uptimeMs: number): number | undefined {
  if (anchor === undefined || boot === undefined || boot.bootId === "" || anchor.bootId !== boot.bootId)
    return undefined;
  const sinceMs = uptimeMs - anchor.uptimeMs;
  return sinceMs < 0 ? undefined : anchor.poolMs + sinceMs;
}
