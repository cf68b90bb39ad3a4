/**
 * The calls that go on for long, each held to the rights that it began with: when what callers may do changes, or when what a
 * caller proved himself with ends, the call is asked again, and ends with the reason if it may no longer go on, or may see other
 * things than it did.
 */
import { isDeepStrictEqual } from "node:util";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Cancellable, Clock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import type { Admission } from "../../access/admission.ts";
import type { Caller } from "../../access/caller.ts";
import type { Requirement } from "../../access/requirement.ts";
import type { CallContext } from "../rpc/handlers.ts";

type Message = MessageShape<DescMessage>;

export interface HeldCall {
  readonly requirement: Requirement;
  readonly request: Message;
  readonly call: CallContext;
  /** Rejects if the caller may not. */
  readonly check: (requirement: Requirement, request: Message, caller: Caller) => Promise<void>;
}

interface Open extends HeldCall {
  /** Until what the caller proved himself with ends, if it does by itself. */
  timer?: Cancellable | undefined;
  readonly abort: (reason: unknown) => void;
}

export class OpenCalls {
  private readonly open = new Set<Open>();
  private readonly subscription: { cancel(): void };
  private readonly clock: Clock;
  private readonly nowMs: () => number;

  /** @param nowMs the pool's time, by which credentials end. */
  constructor(admission: Pick<Admission, "onChange">, clock: Clock, nowMs: () => number) {
    this.clock = clock;
    this.nowMs = nowMs;
    this.subscription = admission.onChange(() => this.askAgain());
  }

  close(): void {
    this.subscription.cancel();
  }

  /** The call with a signal that is aborted when its rights end; `release` it when it is over. */
  hold(held: HeldCall): { readonly call: CallContext; readonly release: () => void } {
    const controller = new AbortController();
    const { signal } = held.call;
    const onAbort = (): void => controller.abort(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    const open: Open = { ...held, abort: (reason: unknown) => controller.abort(reason) };
    this.open.add(open);
    this.await(open, held.call.caller);
    return {
      call: { ...held.call, signal: controller.signal },
      release: () => {
        signal.removeEventListener("abort", onAbort);
        open.timer?.cancel();
        this.open.delete(open);
      },
    };
  }

  async run<T>(held: HeldCall, work: (call: CallContext) => Promise<T>): Promise<T> {
    const { call, release } = this.hold(held);
    try {
      return await work(call);
    } finally {
      release();
    }
  }

  /** Asks again when what the caller proved himself with has ended. */
  private await(open: Open, { expireTimeMs }: Caller): void {
    open.timer?.cancel();
    if (expireTimeMs === undefined || !this.open.has(open)) return;
    open.timer = this.clock.after(expireTimeMs - this.nowMs(), () => void this.ask(open));
  }

  private askAgain(): void {
    for (const open of this.open) void this.ask(open);
  }

  /** Never rejects: whatever is wrong ends the call. */
  private async ask(open: Open): Promise<void> {
    const { requirement, request, call, check, abort } = open;
    try {
      const caller = await call.readmit();
      await check(requirement, request, caller);
      if (!isDeepStrictEqual(caller.bindings, call.caller.bindings)) throw accessChanged();
      this.await(open, caller);
    } catch (error) {
      abort(error);
    }
  }
}

function accessChanged(): MeridianError {
  return new MeridianError("ACCESS_CHANGED", "what you may see has changed; begin again", { retryAfterMs: 0 });
}
