/**
 * The calls under way on one server: how many there may be, and how they end when it closes. Each call has an abort signal;
 * closing aborts all of them with SERVER_NOT_SERVING, and handlers that wait or watch end with that.
 */
import { MeridianError } from "../../../shared/errors.ts";
import { callsMax } from "../limits.ts";

export interface ActiveCall {
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  /** The call is over; calling it twice is harmless. */
  end(): void;
}

export class ActiveCalls {
  private readonly controllers = new Set<AbortController>();
  private readonly most: number;
  private isClosing = false;
  private onEmpty: (() => void) | undefined;

  constructor(most: number = callsMax) {
    this.most = most;
  }

  get count(): number {
    return this.controllers.size;
  }

  /** Throws SERVER_NOT_SERVING when closing, LIMIT_REACHED when there are too many. */
  begin(): ActiveCall {
    if (this.isClosing) throw serverClosing();
    if (this.controllers.size >= this.most) {
      throw new MeridianError("LIMIT_REACHED", `${this.most} calls are under way, which is the most; try again later`, {
        metadata: { limit: "calls", most: String(this.most) },
        retryAfterMs: 1000,
      });
    }
    const controller = new AbortController();
    this.controllers.add(controller);
    return {
      signal: controller.signal,
      abort: (reason) => controller.abort(reason),
      end: () => {
        if (!this.controllers.delete(controller)) return;
        if (this.controllers.size === 0) this.onEmpty?.();
      },
    };
  }

  /** Aborts what waits, admits no more, and resolves when the last call is over. */
  close(): Promise<void> {
    this.isClosing = true;
    const reason = serverClosing();
    for (const controller of this.controllers) controller.abort(reason);
    if (this.controllers.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.onEmpty = resolve;
    });
  }
}

export function serverClosing(): MeridianError {
  return new MeridianError("SERVER_NOT_SERVING", "the server is stopping; try again in a moment", {
    retryAfterMs: 1000,
  });
}
