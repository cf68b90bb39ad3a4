/**
 * Looks at the Mac itself: hardware, disk, licence, and whether events flow. It looks periodically and soon after a call has
 * failed; what it sees are facts for the Hello and the ground of the conditions. A reading that failed keeps the value
 * that was read before, beside the error.
 */
import type { Cancellable, Clock } from "../../shared/clock.ts";
import type { DiskSpace, HostHardware, Licence, ParallelsApi } from "../parallels/api.ts";

/** What was read last, and the error if the last reading failed. */
export interface Reading<T> {
  readonly value: T | undefined;
  readonly error: unknown;
}

export interface SurveyResult {
  readonly hardware: Reading<HostHardware>;
  readonly disk: Reading<DiskSpace>;
  readonly licence: Reading<Licence>;
  /** Since when no events flow, by the monotonic clock; nothing while they do. */
  readonly eventsAwaySinceMs: number | undefined;
}

export interface SurveyTuning {
  /** The time between two looks, in ms. Default 30,000. */
  readonly periodMs: number;
  /** How soon after a failed call the next look comes, in ms, so that a burst of failures costs one. Default 1,000. */
  readonly afterFailureMs: number;
}

export const defaultSurveyTuning: SurveyTuning = { periodMs: 30_000, afterFailureMs: 1_000 };

export interface SurveyOptions {
  readonly parallels: ParallelsApi;
  readonly clock: Clock;
  readonly tuning: SurveyTuning;
  /** A look is done, or the flow of events has changed. */
  readonly onLooked: () => void;
}

export class Survey {
  readonly #options: SurveyOptions;
  readonly #closing = new AbortController();
  #result: SurveyResult;
  #hasLooked = false;
  #looking: Promise<void> | undefined;
  #next: { readonly atMs: number; readonly timer: Cancellable } | undefined;

  constructor(options: SurveyOptions) {
    this.#options = options;
    const unread = { value: undefined, error: undefined };
    const eventsAwaySinceMs = options.clock.monotonicMs();
    this.#result = { hardware: unread, disk: unread, licence: unread, eventsAwaySinceMs };
  }

  /** Whether a first look is done, so that what is missing is news. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  get result(): SurveyResult {
    return this.#result;
  }

  /** Looks now, or joins the look that is under way. Never rejects: failures are part of the result. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** A call has failed somewhere: look again soon. */
  noteFailure(): void {
    this.#lookWithin(this.#options.tuning.afterFailureMs);
  }

  /** The event socket came or went. */
  noteEvents(isFlowing: boolean): void {
    const since = isFlowing ? undefined : (this.#result.eventsAwaySinceMs ?? this.#options.clock.monotonicMs());
    this.#result = { ...this.#result, eventsAwaySinceMs: since };
    this.#options.onLooked();
  }

  close(): void {
    this.#closing.abort(new Error("the agent is stopping"));
    this.#next?.timer.cancel();
  }

  async #look(): Promise<void> {
    const { parallels } = this.#options;
    const { signal } = this.#closing;
    const [hardware, disk, licence] = await Promise.all([
      read(this.#result.hardware, () => parallels.readHardware(signal)),
      read(this.#result.disk, () => parallels.readDiskSpace(signal)),
      read(this.#result.licence, () => parallels.readLicence(signal)),
    ]);
    if (signal.aborted) return;
    this.#result = { ...this.#result, hardware, disk, licence };
    this.#hasLooked = true;
    this.#next?.timer.cancel();
    this.#next = undefined;
    this.#lookWithin(this.#options.tuning.periodMs);
    this.#options.onLooked();
  }

  #lookWithin(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    const { clock } = this.#options;
    const atMs = clock.monotonicMs() + delayMs;
    if (this.#next !== undefined && this.#next.atMs <= atMs) return;
    this.#next?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#next = undefined;
      this.look().catch(() => undefined);
    });
    this.#next = { atMs, timer };
  }
}

async function read<T>(before: Reading<T>, call: () => Promise<T>): Promise<Reading<T>> {
  try {
    return { value: await call(), error: undefined };
  } catch (error) {
    return { value: before.value, error };
  }
}
