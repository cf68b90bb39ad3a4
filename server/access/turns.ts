/**
 * Lets identities take turns. What one asks for at once is begun a few calls at a time, with everything else that has come in
 * between, that of agents and of other callers: hundreds of calls that came together would otherwise be done in one go, and
 * everybody else would wait for all of them. How many a turn begins follows how long the turns take.
 */
import type { Clock } from "../../shared/clock.ts";

/** How many calls of one identity are begun at once, as they come, before the others of it wait for a turn. */
const freePerTurn = 2;
/** How many of those that wait are begun in a turn at most. */
const perTurnMax = 32;
/** A turn that takes longer begins one call of each identity. */
const turnMaxMs = 2;

export class Turns {
  private readonly clock: Clock;
  /** Identities of which calls wait, in the order of their turns. */
  private readonly waiting = new Map<string, (() => void)[]>();
  /** How many calls of each identity were begun since the last turn. */
  private readonly begun = new Map<string, number>();
  private perTurn = 1;
  private lastTurnMs = 0;
  private isPlanned = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Nothing if a call may begin now; otherwise resolves when it may. */
  take(identity: string): Promise<void> | undefined {
    this.plan();
    const before = this.waiting.get(identity);
    const begun = this.begun.get(identity) ?? 0;
    if (before === undefined && begun < freePerTurn) {
      this.begun.set(identity, begun + 1);
      return undefined;
    }
    return new Promise((resolve) => {
      if (before === undefined) this.waiting.set(identity, [resolve]);
      else before.push(resolve);
    });
  }

  private plan(): void {
    if (this.isPlanned) return;
    this.isPlanned = true;
    // Sockets are read before the next one.
    setImmediate(() => this.turn());
  }

  private turn(): void {
    this.isPlanned = false;
    this.begun.clear();
    if (this.waiting.size === 0) return;
    const nowMs = this.clock.monotonicMs();
    this.perTurn = nowMs - this.lastTurnMs > turnMaxMs ? 1 : Math.min(perTurnMax, this.perTurn * 2);
    this.lastTurnMs = nowMs;
    for (const [identity, calls] of this.waiting) {
      for (const begin of calls.splice(0, this.perTurn)) begin();
      if (calls.length === 0) this.waiting.delete(identity);
    }
    if (this.waiting.size > 0) this.plan();
  }
}
