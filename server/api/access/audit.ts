/**
 * Sees to it that every change is told of with who asked for it. Behind the guard it wraps the handlers of calls that change
 * something: whatever event such a handler gives the engine carries who called, and becomes durable with its entry in the
 * history (`apply/audit.ts`). What changes no record (orders that go straight to a host, the CA's files, backups) gets an entry
 * of its own: before an order leaves, before an answer is given. Handlers know nothing of it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Clock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import type { Caller } from "../../access/caller.ts";
import { isChange } from "../../access/permissions.ts";
import type { EngineApi } from "../../engine/engine-api.ts";
import type { EventReply, PoolEvent } from "../../pool/events.ts";
import type { Asked, HistoryCaller } from "../../pool/history.ts";
import type { HostCalls } from "../../sessions/host-calls.ts";
import type { CallContext, MethodHandler, ServiceBinding } from "../rpc/handlers.ts";
import { Refusals } from "./refusals.ts";
import { type RequestTarget, targetOf } from "./request-target.ts";

export interface AuditOptions {
  readonly engine: EngineApi;
  readonly hostCalls: HostCalls;
  readonly clock: Clock;
}

/** A call, as far as it has come. */
interface Trail {
  readonly asked: Asked;
  /** Looked for only where it is told. */
  target: () => RequestTarget;
  /** Whether the history has an entry of it. */
  isTold: boolean;
}

/** A call that was refused. */
export interface RefusedCall {
  /** The RPC's name. */
  readonly action: string;
  readonly caller: HistoryCaller;
  readonly target?: RequestTarget;
}

type Message = MessageShape<DescMessage>;
type MessageInit = MessageInitShape<DescMessage>;

export class Audit {
  /** The engine and the hosts, as handlers are to use them. */
  readonly engine: EngineApi;
  readonly hostCalls: HostCalls;
  private readonly bare: EngineApi;
  private readonly trails = new AsyncLocalStorage<Trail>();
  private readonly denied: Refusals;
  private readonly failed: Refusals;

  constructor({ engine, hostCalls, clock }: AuditOptions) {
    this.bare = engine;
    this.engine = {
      submit: (event) => this.submit(event),
      read: (read) => engine.read(read),
      follow: (fromRevision, signal) => engine.follow(fromRevision, signal),
      onDurable: (listener) => engine.onDurable(listener),
      nowMs: () => engine.nowMs(),
    };
    this.hostCalls = {
      call: async (host, call, options) => {
        const trail = this.trails.getStore();
        if (trail !== undefined) await this.tell(trail);
        return await hostCalls.call(host, call, options);
      },
    };
    this.denied = new Refusals(engine, clock, "denied");
    this.failed = new Refusals(engine, clock, "refused");
  }

  /** Tells what was not told yet. Never rejects. */
  async close(): Promise<void> {
    await Promise.all([this.denied.close(), this.failed.close()]);
  }

  /** Tells, soon and within bounds, of a call that was refused. */
  refused({ action, caller, target }: RefusedCall, error: unknown): void {
    // What is no refusal is a fault of ours, or a caller that left.
    if (!(error instanceof MeridianError) || error.reason === "INTERNAL_ERROR") return;
    const { code, reason, message, options } = error;
    const isDenied = deniedCodes.has(code);
    const resource = target?.resource ?? "";
    (isDenied ? this.denied : this.failed).note({
      action,
      caller,
      code,
      reason,
      message,
      ...target,
      resource: resource === "" ? (options.resource ?? "") : resource,
    });
  }

  /** The same service; what changes nothing is left as it is. */
  bind(binding: ServiceBinding): ServiceBinding {
    return {
      service: binding.service,
      handler: (method) => {
        const handler = binding.handler(method);
        return isChange(method) ? this.audited(handler, method) : handler;
      },
    };
  }

  private audited(handler: MethodHandler, method: DescMethod): MethodHandler {
    switch (handler.kind) {
      case "unary":
        return { kind: "unary", handle: (request, call) => this.unary(handler, method, { request, call }) };
      case "server_streaming":
        return {
          kind: "server_streaming",
          handle: (request, call) => {
            const trail = trailOf(method, call, request);
            return this.stream(trail, () => handler.handle(request, call));
          },
        };
      case "bidi_streaming":
        return {
          kind: "bidi_streaming",
          handle: (requests, call) => {
            const trail = trailOf(method, call, {});
            const seen = seeFirst(requests, (first) => {
              trail.target = () => targetOf(method, first);
            });
            return this.stream(trail, () => handler.handle(seen, call));
          },
        };
      default:
        return handler satisfies never;
    }
  }

  private async unary(
    handler: Extract<MethodHandler, { kind: "unary" }>,
    method: DescMethod,
    { request, call }: { readonly request: Message; readonly call: CallContext },
  ): Promise<MessageInit> {
    const trail = trailOf(method, call, request);
    try {
      const answer = await this.trails.run(trail, () => handler.handle(request, call));
      await this.tell(trail);
      return answer;
    } catch (error) {
      this.refused({ ...trail.asked, target: trail.target() }, error);
      throw error;
    }
  }

  /** The answers; every step towards one is part of the call. */
  private async *stream(
    trail: Trail,
    answers: () => AsyncIterable<MessageInit>,
  ): AsyncGenerator<MessageInit, undefined> {
    const reading = answers()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.trails.run(trail, () => reading.next());
        await this.tell(trail);
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      this.refused({ ...trail.asked, target: trail.target() }, error);
      throw error;
    } finally {
      await reading.return?.();
    }
  }

  private async submit<E extends PoolEvent>(event: E): Promise<EventReply<E>> {
    const trail = this.trails.getStore();
    if (trail === undefined) return await this.bare.submit(event);
    const reply = await this.bare.submit({ ...event, asked: trail.asked });
    trail.isTold = true;
    return reply;
  }

  /** Once a call. */
  private tell(trail: Trail): Promise<unknown> {
    if (trail.isTold) return told;
    trail.isTold = true;
    return this.bare.submit({ type: "calls-noted", calls: [{ ...trail.asked, ...trail.target() }] });
  }
}

const told = Promise.resolve();

const deniedCodes: ReadonlySet<string> = new Set(["PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED"]);

/** A caller as the history names him. */
export function historyCaller({ principal, authentication, address }: Caller): HistoryCaller {
  return { principal, authentication, address };
}

function trailOf(method: DescMethod, { caller }: CallContext, request: object): Trail {
  const asked = { action: method.name, caller: historyCaller(caller) };
  return { asked, target: () => targetOf(method, request), isTold: false };
}

async function* seeFirst(
  requests: AsyncIterable<Message>,
  see: (first: Message) => void,
): AsyncGenerator<Message, undefined> {
  let isFirst = true;
  for await (const request of requests) {
    if (isFirst) see(request);
    isFirst = false;
    yield request;
  }
}
