/**
 * The calls that go on for long, each held to the rights that it began with: when what callers may do changes, each is asked
 * again, and ends with the reason if it may no longer go on, or may see other things than it did.
 */
import { isDeepStrictEqual } from "node:util";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
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
  readonly abort: (reason: unknown) => void;
}

export class OpenCalls {
  private readonly open = new Set<Open>();
  private readonly subscription: { cancel(): void };

  constructor(admission: Pick<Admission, "onChange">) {
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
    const open = { ...held, abort: (reason: unknown) => controller.abort(reason) };
    this.open.add(open);
    return {
      call: { ...held.call, signal: controller.signal },
      release: () => {
        signal.removeEventListener("abort", onAbort);
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

  private askAgain(): void {
    for (const open of this.open) void this.ask(open);
  }

  /** Never rejects: whatever is wrong ends the call. */
  private async ask({ requirement, request, call, check, abort }: Open): Promise<void> {
    try {
      const caller = await call.readmit();
      await check(requirement, request, caller);
      if (!isDeepStrictEqual(caller.bindings, call.caller.bindings)) throw accessChanged();
    } catch (error) {
      abort(error);
    }
  }
}

function accessChanged(): MeridianError {
  return new MeridianError("ACCESS_CHANGED", "what you may see has changed; begin again", { retryAfterMs: 0 });
}
