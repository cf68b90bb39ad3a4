/** No progress for too long is a failure; slowness is not. */
import type { CommandContext } from "./command-context.ts";
import { CommandFailure, type Suspect } from "./failure.ts";

export class SilenceWatch {
  readonly #context: CommandContext;
  readonly #suspect: Suspect;
  #lastProgressMs: number;

  /** @param suspect what a silence probably comes from. */
  constructor(context: CommandContext, suspect: Suspect) {
    this.#context = context;
    this.#suspect = suspect;
    this.#lastProgressMs = context.clock.monotonicMs();
  }

  /** Something moved. */
  touch(): void {
    this.#lastProgressMs = this.#context.clock.monotonicMs();
  }

  /** How long nothing has moved, in ms. */
  get silentMs(): number {
    return this.#context.clock.monotonicMs() - this.#lastProgressMs;
  }

  /** Fails with NoProgress when the command's limit is exceeded. */
  check(what: string): void {
    if (this.silentMs < this.#context.silenceLimitMs) return;
    throw new CommandFailure(
      { reason: "NoProgress", suspect: this.#suspect, isRetryable: true },
      `${what} made no progress for ${Math.round(this.#context.silenceLimitMs / 1000)} s.`,
    );
  }
}
