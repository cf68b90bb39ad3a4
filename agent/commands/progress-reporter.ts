/** Thins out progress: at most one report a second, except that a new step is told at once. The last word is never held back
 * for longer than that. */
import type { Cancellable, Clock } from "../../shared/clock.ts";
import type { Progress } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { wholeNumber } from "../wire.ts";

const reportPeriodMs = 1_000;

export class ProgressReporter {
  readonly #clock: Clock;
  readonly #report: (progress: Progress) => void;
  #sent: Progress | undefined;
  #sentAtMs = 0;
  #held: { readonly progress: Progress; readonly timer: Cancellable } | undefined;
  #hasEnded = false;

  constructor(clock: Clock, report: (progress: Progress) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  add(partial: Partial<Progress> & { readonly step: string }): void {
    if (this.#hasEnded) return;
    const progress = complete(partial);
    this.#held?.timer.cancel();
    this.#held = undefined;
    const waitMs = this.#sentAtMs + reportPeriodMs - this.#clock.monotonicMs();
    if (this.#sent?.step !== progress.step || waitMs <= 0) {
      this.#send(progress);
      return;
    }
    this.#held = { progress, timer: this.#clock.after(waitMs, () => this.#send(progress)) };
  }

  /** The command has ended: what is held back is of no use any more. */
  end(): void {
    this.#hasEnded = true;
    this.#held?.timer.cancel();
    this.#held = undefined;
  }

  #send(progress: Progress): void {
    this.#held = undefined;
    this.#sent = progress;
    this.#sentAtMs = this.#clock.monotonicMs();
    this.#report(progress);
  }
}

function complete(partial: Partial<Progress> & { readonly step: string }): Progress {
  const percent = partial.percent ?? 0;
  return {
    step: partial.step,
    percent: Number.isFinite(percent) ? Math.min(100, Math.max(0, percent)) : 0,
    etaMs: wholeNumber(partial.etaMs ?? 0),
    message: (partial.message ?? "").slice(0, 300),
  };
}
