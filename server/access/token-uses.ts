/** When tokens were last used: told to the pool at most once a minute, whatever the number of calls. */
import type { Cancellable, Clock } from "../../shared/clock.ts";
import type { TokenId } from "../../shared/ids.ts";
import type { EngineApi } from "../engine/engine-api.ts";
import type { TokenRecord } from "../pool/service-account.ts";

const periodMs = 60_000;

export class TokenUses {
  private readonly engine: Pick<EngineApi, "submit">;
  private readonly clock: Clock;
  private readonly untold = new Map<TokenId, number>();
  private timer: Cancellable | undefined;
  /** Absent: never. */
  private toldAtMs: number | undefined;

  constructor(engine: Pick<EngineApi, "submit">, clock: Clock) {
    this.engine = engine;
    this.clock = clock;
  }

  close(): void {
    this.timer?.cancel();
    this.untold.clear();
  }

  note({ id, lastUseTimeMs }: TokenRecord, timeMs: number): void {
    // What is known to the minute is known well enough.
    if (lastUseTimeMs !== undefined && timeMs - lastUseTimeMs < periodMs) return;
    this.untold.set(id, timeMs);
    if (this.timer !== undefined) return;
    const sinceMs = this.toldAtMs === undefined ? periodMs : this.clock.monotonicMs() - this.toldAtMs;
    this.timer = this.clock.after(Math.max(0, periodMs - sinceMs), () => void this.tell());
  }

  /** Never rejects. */
  private async tell(): Promise<void> {
    this.timer = undefined;
    this.toldAtMs = this.clock.monotonicMs();
    const uses = [...this.untold].map(([id, timeMs]) => ({ id, timeMs }));
    this.untold.clear();
    try {
      await this.engine.submit({ type: "tokens-used", uses });
    } catch {
      // The engine has ended, which is told where it matters.
    }
  }
}
