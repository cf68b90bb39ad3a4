/** When to dial again: full jitter, so that a pool that lost its server does not come back in one instant. */

export interface BackoffTuning {
  /** The first pause is between 0 and this, in ms. Default 250. */
  readonly baseMs: number;
  /** No pause is longer, in ms. Default 30,000. */
  readonly capMs: number;
}

export const defaultBackoffTuning: BackoffTuning = { baseMs: 250, capMs: 30_000 };

export interface BackoffOptions {
  readonly tuning: BackoffTuning;
  /** Dials in a row that share one step of the backoff: one for each server, since another server may answer at once. */
  readonly dialsPerStep: number;
  /** A number from 0 up to but not including 1. */
  readonly random: () => number;
}

export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The pause before the next dial, in ms: somewhere between 0 and a bound that doubles from step to step. */
  nextDelayMs(): number {
    const { tuning, dialsPerStep, random } = this.#options;
    const step = Math.floor(this.#failures / Math.max(1, dialsPerStep));
    this.#failures += 1;
    return random() * Math.min(tuning.capMs, tuning.baseMs * 2 ** Math.min(step, 32));
  }

  /** A session has held: the next trouble is a new one. */
  reset(): void {
    this.#failures = 0;
  }
}
