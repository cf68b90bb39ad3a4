/**
 * Whether the server's picture of a host can be whole: increments are counted by the agent, and each heartbeat says how many
 * there have been. When one is missing, a whole inventory is asked for, and asked for again until it comes, but not more
 * often than a Mac can stand.
 */
import { wholeInventoryPeriodMs } from "./limits.ts";

export class InventoryCheck {
  private sequence: number;
  private reason: string | undefined;
  private askedAtMs = Number.NEGATIVE_INFINITY;
  private readonly ask: (reason: string) => void;

  /** @param sequence of the inventory in the Hello. */
  constructor(sequence: number, ask: (reason: string) => void) {
    this.sequence = sequence;
    this.ask = ask;
  }

  /** Takes note of an inventory. False: it is older than what is known and must not be used. */
  onInventory(sequence: number, isWhole: boolean, nowMs: number): boolean {
    if (isWhole) {
      this.sequence = sequence;
      this.reason = undefined;
      return true;
    }
    if (!(sequence > this.sequence)) return false;
    const isNext = sequence === this.sequence + 1;
    const expected = this.sequence + 1;
    this.sequence = sequence;
    // What it says is true all the same: it is used, and what was missed comes with the whole one.
    if (!isNext) this.want(`inventory ${expected} was expected and ${sequence} came`, nowMs);
    return true;
  }

  onHeartbeat(sequence: number, nowMs: number): void {
    if (sequence === this.sequence) return;
    this.want(`inventory ${this.sequence} is the last one here and the heartbeat names ${sequence}`, nowMs);
  }

  want(reason: string, nowMs: number): void {
    this.reason = reason;
    this.repeat(nowMs);
  }

  /** Asks again if a whole inventory is still missing and the last question is long enough ago. */
  repeat(nowMs: number): void {
    if (this.reason === undefined || nowMs - this.askedAtMs < wholeInventoryPeriodMs) return;
    this.askedAtMs = nowMs;
    this.ask(this.reason);
  }
}
