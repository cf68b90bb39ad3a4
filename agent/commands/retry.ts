/** Sitting out the time in which nobody answers at the local service. */
import { sleep } from "../../shared/clock.ts";
import { ParallelsError } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";

/** The pauses between tries double from the first to the last. */
const pauseMinMs = 250;
const pauseMaxMs = 5_000;

/**
 * The outcome of `call`, tried again while the local service is unreachable (then the call was not done, so doing it again is
 * safe), within bounds. Every other error is the caller's.
 */
export async function untilReachable<T>(context: CommandContext, call: () => Promise<T>): Promise<T> {
  const { clock, signal, tuning } = context;
  const giveUpAtMs = clock.monotonicMs() + Math.min(tuning.unreachableLimitMs, context.silenceLimitMs);
  for (let pauseMs = pauseMinMs; ; pauseMs = Math.min(pauseMs * 2, pauseMaxMs)) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ParallelsError) || error.kind !== "unreachable") throw error;
      if (clock.monotonicMs() + pauseMs > giveUpAtMs) throw error;
      context.progress({ step: "reconnect", message: "The local Parallels API does not answer; trying again." });
    }
    await sleep(clock, pauseMs, signal);
  }
}
