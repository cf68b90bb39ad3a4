/**
 * One call's deadline: a signal that fires when the time is up, when the caller gives up or when the client is closed,
 * whichever is first. Its reason is always the `ParallelsError` that the call then ends with.
 */
import type { Cancellable, Clock } from "../../shared/clock.ts";
import { ParallelsError } from "./api.ts";

export interface DeadlineOptions {
  /** From now, in ms. */
  readonly limitMs: number;
  /** What is being done, for the error's message, such as "GET /machines". */
  readonly what: string;
  /** The caller's signal. */
  readonly signal?: AbortSignal | undefined;
  /** Fires when the client is closed. */
  readonly closed: AbortSignal;
}

export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: Cancellable;
  readonly #options: DeadlineOptions;

  constructor(clock: Clock, options: DeadlineOptions) {
    this.#options = options;
    const { limitMs, what, signal, closed } = options;
    this.#timer = clock.after(limitMs, () => {
      this.#controller.abort(new ParallelsError("timed-out", `${what} had no answer within ${limitMs} ms`));
    });
    closed.addEventListener("abort", this.#onClosed);
    signal?.addEventListener("abort", this.#onGivenUp);
    if (closed.aborted) this.#onClosed();
    if (signal?.aborted === true) this.#onGivenUp();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Must be called once the call has ended; takes the timer and the listeners away. */
  end(): void {
    this.#timer.cancel();
    this.#options.closed.removeEventListener("abort", this.#onClosed);
    this.#options.signal?.removeEventListener("abort", this.#onGivenUp);
  }

  readonly #onClosed = (): void => {
    this.#controller.abort(new ParallelsError("timed-out", `${this.#options.what} was cut off: the client is closed`));
  };

  readonly #onGivenUp = (): void => {
    const message = `${this.#options.what} was given up by its caller`;
    this.#controller.abort(new ParallelsError("timed-out", message, { cause: this.#options.signal?.reason }));
  };
}

/** Waits for `promise`, but no longer than the signal allows; what it then rejects with is the signal's reason. */
export function waitWithin<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("aborted", { cause: signal.reason });
}
