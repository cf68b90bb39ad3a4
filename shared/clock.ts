/**
 * Time, as everything else gets it: as an argument. Durations, timers and liveness use `monotonicMs`, which never jumps;
 * `wallMs` is for what people read. A simulated clock takes the place of `systemClock` in tests.
 */

/** Something that was started and can be called off; doing so twice is harmless. */
export interface Cancellable {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since some fixed moment of this process; never goes back. */
  monotonicMs(): number;
  /** Milliseconds since 1970 by the machine's clock, which people may set. */
  wallMs(): number;
  /** Calls `action` once, `delayMs` from now (at least 0). The timer alone does not keep the process alive. */
  after(delayMs: number, action: () => void): Cancellable;
}

/** The longest delay that a timer of Node takes; longer ones fire at once. */
const timerDelayMaxMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, Math.min(Math.max(0, delayMs), timerDelayMaxMs));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(toError(signal.reason));
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(toError(signal?.reason));
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
