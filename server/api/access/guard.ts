/**
 * Stands before every handler: counts the call, asks the table of permissions what the method needs and whether the caller has
 * it, and ends what goes on for long (watches, waits, commands) when that is taken away.
 */
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { assert } from "../../../shared/assert.ts";
import type { Clock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import type { Admission } from "../../access/admission.ts";
import type { CallLimits, HeldKind } from "../../access/call-limits.ts";
import type { Caller } from "../../access/caller.ts";
import { requirementOf } from "../../access/permissions.ts";
import { checkRequirement, isMetEverywhere, type Requirement } from "../../access/requirement.ts";
import type { EngineApi } from "../../engine/engine-api.ts";
import type { CallContext, MethodHandler, ServiceBinding } from "../rpc/handlers.ts";
import { historyCaller, type RefusedCall } from "./audit.ts";
import { OpenCalls } from "./open-calls.ts";
import { targetOf } from "./request-target.ts";

export interface GuardOptions {
  readonly engine: Pick<EngineApi, "read" | "nowMs">;
  readonly clock: Clock;
  readonly admission: Admission;
  readonly limits: CallLimits;
  /** Told of every call that is refused. */
  readonly onDenied: (call: RefusedCall, error: unknown) => void;
}

type Message = MessageShape<DescMessage>;
type MessageInit = MessageInitShape<DescMessage>;

/** A call at the door. */
interface Entering {
  readonly method: DescMethod;
  readonly request: Message;
  readonly call: CallContext;
}

export class Guard {
  private readonly engine: Pick<EngineApi, "read">;
  private readonly open: OpenCalls;
  private readonly limits: CallLimits;
  private readonly onDenied: GuardOptions["onDenied"];

  constructor({ engine, clock, admission, limits, onDenied }: GuardOptions) {
    this.engine = engine;
    this.limits = limits;
    this.onDenied = onDenied;
    this.open = new OpenCalls(admission, clock, () => engine.nowMs());
  }

  close(): void {
    this.open.close();
  }

  /** The same service, with every method guarded. A method that is not in the table is a mistake of ours. */
  bind(binding: ServiceBinding): ServiceBinding {
    return {
      service: binding.service,
      handler: (method) => {
        const requirement = requirementOf(method);
        assert(requirement !== undefined, `${method.parent.typeName}/${method.name} is in no table of permissions`);
        return this.guard(binding.handler(method), method, requirement);
      },
    };
  }

  private guard(handler: MethodHandler, method: DescMethod, requirement: Requirement): MethodHandler {
    switch (handler.kind) {
      case "unary":
        return {
          kind: "unary",
          handle: async (request, call) => {
            await this.enter(requirement, { method, request, call });
            // A wait can be as long as a watch.
            if (method.localName !== "waitVm") {
              const answer = await handler.handle(request, call);
              this.limits.charge(call.caller, resourcesIn(answer));
              return answer;
            }
            const limited = this.hold("waits", { method, request, call });
            try {
              return await this.open.run({ requirement, request, call, check: this.recheck }, (held) =>
                handler.handle(request, held),
              );
            } finally {
              limited.release();
            }
          },
        };
      case "server_streaming":
        return {
          kind: "server_streaming",
          handle: (request, call) =>
            this.stream(requirement, { method, request, call }, (held) => handler.handle(request, held)),
        };
      case "bidi_streaming":
        return {
          kind: "bidi_streaming",
          handle: (requests, call) => this.bidi(requirement, { method, requests, call }, handler),
        };
      default:
        return handler satisfies never;
    }
  }

  private async *stream(
    requirement: Requirement,
    entering: Entering,
    answers: (call: CallContext) => AsyncIterable<MessageInit>,
  ): AsyncGenerator<MessageInit, undefined> {
    await this.enter(requirement, entering);
    const { request, call } = entering;
    const limited = this.hold("streams", entering);
    const held = this.open.hold({ requirement, request, call, check: this.recheck });
    try {
      yield* answers(held.call);
    } finally {
      held.release();
      limited.release();
    }
  }

  /** What a two-way call needs is known from its first message. */
  private async *bidi(
    requirement: Requirement,
    {
      method,
      requests,
      call,
    }: { readonly method: DescMethod; readonly requests: AsyncIterable<Message>; readonly call: CallContext },
    handler: Extract<MethodHandler, { kind: "bidi_streaming" }>,
  ): AsyncGenerator<MessageInit, undefined> {
    const reading = requests[Symbol.asyncIterator]();
    if (isMetEverywhere(requirement, call.caller)) {
      const answers = (held: CallContext): AsyncIterable<MessageInit> => handler.handle(again(reading), held);
      // Nothing that the first message could say makes a difference.
      yield* this.stream({ scope: "self" }, { method, request: {} as Message, call }, answers);
      return;
    }
    const first = await within(reading.next(), call.signal);
    if (first.done === true) {
      yield* handler.handle(again(reading), call);
      return;
    }
    const request = first.value;
    yield* this.stream(requirement, { method, request, call }, (held) => handler.handle(again(reading, request), held));
  }

  /** A refusal is told of. */
  private async enter(requirement: Requirement, entering: Entering): Promise<void> {
    const { request, call } = entering;
    const beyond = this.limits.begin(call.caller);
    if (beyond !== undefined) {
      this.deny(entering, beyond);
      await this.limits.holdBack(beyond, call.signal);
      throw beyond;
    }
    const turn = this.limits.turn(call.caller);
    if (turn !== undefined) {
      await turn;
      call.signal.throwIfAborted();
    }
    if (isMetEverywhere(requirement, call.caller)) return;
    try {
      await this.check(requirement, request, call.caller);
    } catch (error) {
      this.deny(entering, error);
      throw error;
    }
  }

  private hold(kind: HeldKind, entering: Entering): { readonly release: () => void } {
    try {
      return this.limits.hold(kind, entering.call.caller);
    } catch (error) {
      this.deny(entering, error);
      throw error;
    }
  }

  private deny({ method, request, call: { caller } }: Entering, error: unknown): void {
    const target = targetOf(method, request);
    this.onDenied({ action: method.name, caller: historyCaller(caller), target }, error);
  }

  /** The cast holds because a requirement's functions take the message of the method that it belongs to. */
  private async check(requirement: Requirement, request: Message, caller: Caller): Promise<void> {
    await this.engine.read((view) => checkRequirement(requirement as Requirement<Message>, { request, caller, view }));
  }

  private readonly recheck = (requirement: Requirement, request: Message, caller: Caller): Promise<void> =>
    isMetEverywhere(requirement, caller) ? Promise.resolve() : this.check(requirement, request, caller);
}

function resourcesIn(answer: MessageInit): number {
  let count = 0;
  for (const value of Object.values(answer)) if (Array.isArray(value)) count += value.length;
  return count;
}

/** The rest of a stream, with its first message before it if that was read already. */
async function* again(reading: AsyncIterator<Message>, first?: Message): AsyncGenerator<Message, undefined> {
  if (first !== undefined) yield first;
  for (;;) {
    const next = await reading.next();
    if (next.done === true) return;
    yield next.value;
  }
}

/** The first message of a call that sends none is waited for no longer than the call lasts. */
async function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw signal.reason;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(asError(signal.reason));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    aborted.promise.catch(() => undefined);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new MeridianError("SERVER_NOT_SERVING", "the call was ended");
}
