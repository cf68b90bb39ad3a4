/**
 * Tells the history of calls that were refused: the first of each kind within a second, its repetitions as one entry with
 * their number every ten minutes. However many are refused, and from however many addresses, the entries are few: what goes
 * beyond their bound is told as a number alone. So a flood can neither fill the store nor push out what else happened.
 */
import type { Cancellable, Clock } from "../../../shared/clock.ts";
import type { EngineApi } from "../../engine/engine-api.ts";
import type { NotedCall } from "../../pool/events/pool.ts";
import { refusalEntries, refusalKindsMax } from "../limits.ts";

/** How long the first of a kind is waited with, so that many kinds share a batch. */
const gatherMs = 1_000;
/** How often repetitions are told. */
const repeatMs = 600_000;
const secondsPerMinute = 60_000;

interface Kind {
  readonly call: NotedCall;
  /** Those that were not told yet. */
  count: number;
  /** When they are. */
  dueMs: number;
}

export class Refusals {
  private readonly engine: Pick<EngineApi, "submit">;
  private readonly clock: Clock;
  private readonly kinds = new Map<string, Kind>();
  private readonly others: NotedCall;
  private timer: Cancellable | undefined;
  private entriesLeft: number = refusalEntries.burst;
  private countedAtMs: number;
  private telling: Promise<unknown> = Promise.resolve();

  /** @param what for the entry of those beyond the bound, such as "refused". */
  constructor(engine: Pick<EngineApi, "submit">, clock: Clock, what: string) {
    this.engine = engine;
    this.clock = clock;
    this.countedAtMs = clock.monotonicMs();
    this.others = {
      action: "",
      resource: "",
      reason: "",
      code: "",
      message: `more calls were ${what} than are told one by one`,
    };
  }

  note(call: NotedCall): void {
    const key = keyOf(call);
    const known = this.kinds.get(key);
    if (known !== undefined) {
      known.count += 1;
      return;
    }
    if (this.kinds.size < refusalKindsMax) this.add(key, call, 1);
    else this.addOthers(1);
  }

  /** Tells what was not told yet. Never rejects. */
  async close(): Promise<void> {
    this.timer?.cancel();
    this.tell(Number.POSITIVE_INFINITY);
    this.timer?.cancel();
    await this.telling;
  }

  private add(key: string, call: NotedCall, count: number): void {
    this.kinds.set(key, { call, count, dueMs: this.clock.monotonicMs() + gatherMs });
    this.wake();
  }

  private addOthers(count: number): void {
    const others = this.kinds.get("");
    if (others === undefined) this.add("", this.others, count);
    else others.count += count;
  }

  /** Wakes when the next kind is due. */
  private wake(): void {
    this.timer?.cancel();
    let dueMs = Number.POSITIVE_INFINITY;
    for (const kind of this.kinds.values()) dueMs = Math.min(dueMs, kind.dueMs);
    if (!Number.isFinite(dueMs)) return;
    const nowMs = this.clock.monotonicMs();
    this.timer = this.clock.after(Math.max(0, dueMs - nowMs), () => this.tell(this.clock.monotonicMs()));
  }

  private tell(untilMs: number): void {
    const calls: NotedCall[] = [];
    for (const [key, kind] of this.kinds) {
      if (kind.dueMs > untilMs) continue;
      if (kind.count === 0) {
        this.kinds.delete(key);
        continue;
      }
      if (key !== "" && !this.takeEntry()) {
        this.kinds.delete(key);
        this.addOthers(kind.count);
        continue;
      }
      calls.push(kind.count === 1 ? kind.call : { ...kind.call, count: kind.count });
      kind.count = 0;
      kind.dueMs = this.clock.monotonicMs() + repeatMs;
    }
    this.wake();
    if (calls.length === 0) return;
    // A server that ends tells of it elsewhere.
    const told = this.engine.submit({ type: "calls-noted", calls }).catch(() => undefined);
    this.telling = Promise.all([this.telling, told]);
  }

  private takeEntry(): boolean {
    const nowMs = this.clock.monotonicMs();
    const regained = (nowMs - this.countedAtMs) * (refusalEntries.perMinute / secondsPerMinute);
    this.entriesLeft = Math.min(refusalEntries.burst, this.entriesLeft + regained);
    this.countedAtMs = nowMs;
    if (this.entriesLeft < 1) return false;
    this.entriesLeft -= 1;
    return true;
  }
}

/** Calls with the same key are told as one. */
function keyOf({ action, resource, code = "", reason = "", caller }: NotedCall): string {
  return JSON.stringify([caller?.principal, caller?.address, action, resource, code, reason]);
}
