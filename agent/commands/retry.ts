/** Sitting out the time in which nobody answers at the local service. */
import { sleep } from "../../shared/clock.ts";
import { ParallelsError } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";

/** The pauses between tries double from the first to the last. */
const pauseMinMs = 250;
const pauseMaxMs = 5_000;

/**
 * The outcome of `call`, tried again while the local service is unreachable (then the call was not done, so doing it again is
 * safe), within bounds. Every other error is the caller's: above all that nobody answered in time, when the call may still be
 * done later. Of that it hears even if the command was withdrawn meanwhile.
 */
export function untilReachable<T>(context: CommandContext, call: () => Promise<T>): Promise<T> {
  return retry(context, call, ({ kind }) => kind === "unreachable");
}

/** The same for a question: asked again also when its answer did not come, since asking twice does no harm. */
export function untilAnswered<T>(context: CommandContext, call: () => Promise<T>): Promise<T> {
  return retry(context, call, ({ kind }) => kind === "unreachable" || kind === "timed-out");
}

/** Nobody answered in time: whether it was done, or still will be, is not known. */
export function isOutcomeUnknown(error: unknown): error is ParallelsError {
  return error instanceof ParallelsError && error.kind === "timed-out";
}

async function retry<T>(
  context: CommandContext,
  call: () => Promise<T>,
  isWorthRepeating: (error: ParallelsError) => boolean,
): Promise<T> {
  const { clock, signal, tuning } = context;
  const giveUpAtMs = clock.monotonicMs() + Math.min(tuning.unreachableLimitMs, context.silenceLimitMs);
  for (let pauseMs = pauseMinMs; ; pauseMs = Math.min(pauseMs * 2, pauseMaxMs)) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const isGivenUp = signal.aborted && error instanceof Error && error.cause === signal.reason;
      if (isGivenUp) throw signal.reason;
      if (!(error instanceof ParallelsError) || !isWorthRepeating(error)) throw error;
      signal.throwIfAborted();
      if (clock.monotonicMs() + pauseMs > giveUpAtMs) throw error;
      context.progress({ step: "reconnect", message: "The local Parallels API does not answer; trying again." });
    }
    await sleep(clock, pauseMs, signal);
  }
}
