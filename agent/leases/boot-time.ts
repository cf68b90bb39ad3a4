/**
 * The time since the Mac's start, in which leases are counted: nobody can set it, and all processes of one start of the Mac
 * share it, so that the time in which the agent was down counts as well.
 */
import type { LeaseRecord, MomentRecord } from "../journal/journal-record.ts";

export interface BootTime {
  /** Changes with every start of the Mac; empty when it cannot be told. */
  readonly bootId: string;
  /** In ms since the Mac's start. */
  readonly nowMs: number;
  /** By the clock that people may set. */
  readonly wallMs: number;
}

/**
 * What the wall clock may say at most about how long a Mac was off, in ms: thirty days. More is a clock that was never set, or
 * a Mac so long forgotten that its server has ended its VMs' leases for certain.
 */
const credibleMaxMs = 30 * 24 * 60 * 60_000;

/**
 * What is left of a lease, in ms; 0 or less: it has run out. Within one start of the Mac this is exact. After a new start, how
 * long the Mac was off is not known: the wall clock may say so and shorten what was left when the Mac was last known to be
 * up, if that is credible. It never makes a lease longer, whichever way it was set.
 *
 * @param last the last moment at which the Mac is known to have been up.
 */
export function leftOfLease(lease: LeaseRecord, last: MomentRecord | undefined, now: BootTime): number {
  if (lease.bootId === now.bootId && now.bootId !== "") return lease.endsAtMs - now.nowMs;
  // Without a moment of the lease's own start of the Mac nothing is known of it.
  if (last === undefined || last.bootId !== lease.bootId) return 0;
  const offMs = now.wallMs - last.wallMs;
  return lease.endsAtMs - last.atMs - (offMs > 0 && offMs <= credibleMaxMs ? offMs : 0);
}
