/**
 * Deadlines by the agent's clock. `AbortSignal.timeout` would use the machine's, which a simulation cannot move.
 */
import type { Clock } from "../shared/clock.ts";

/** The reason of a signal that was aborted because its time was up. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

export interface Deadline {
  /** Aborted when the time is up (the reason is a `DeadlineExceeded`) or when the parent is. */
  readonly signal: AbortSignal;
  /** Stops the timer and lets go of the parent; call it when the work is done. Twice is harmless. */
  release(): void;
}

/** A signal that is aborted `limitMs` from now, or earlier together with `parent`. */
export function startDeadline(clock: Clock, limitMs: number, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  const onParentAbort = (): void => controller.abort(parent?.reason);
  if (parent?.aborted === true) onParentAbort();
  parent?.addEventListener("abort", onParentAbort, { once: true });
  const timer = clock.after(limitMs, () => controller.abort(new DeadlineExceeded(`not done within ${limitMs} ms`)));
  return {
    signal: controller.signal,
    release: () => {
      timer.cancel();
      parent?.removeEventListener("abort", onParentAbort);
    },
  };
}

/** The promise's outcome, or the signal's reason when it is aborted first. The promise itself is not stopped by that. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** The reason of an aborted signal as an error. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("aborted", { cause: signal.reason });
}
