/** Puts handlers behind Connect, gRPC-Web and JSON: the same handlers, with their errors as Connect has them. */
import type { DescMessage, DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextKey,
  type HandlerContext,
  type MethodImpl,
} from "@connectrpc/connect";
import type { Admission } from "../../access/admission.ts";
import type { Caller } from "../../access/caller.ts";
import { type ErrorReporter, toConnectError } from "../error-status.ts";
import type { ActiveCalls } from "./active-calls.ts";
import type { CallContext, MethodHandler, ServiceBinding } from "./handlers.ts";
import { markRequestRead } from "./request-refusals.ts";

export interface RouteOptions {
  readonly calls: ActiveCalls;
  readonly errors: ErrorReporter;
  readonly admission: Admission;
}

export function routeService(router: ConnectRouter, binding: ServiceBinding, options: RouteOptions): void {
  for (const method of binding.service.methods) {
    // The handler was bound to this very method; its message types are those of the descriptor.
    router.rpc(method, connectCall(binding.handler(method), method, options) as MethodImpl<DescMethod>);
  }
}

/** Where a request comes from; set where it comes in. */
export const peerAddressKey = createContextKey("", { description: "the address of the caller" });

type MessageInit = MessageInitShape<DescMessage>;

function connectCall(handler: MethodHandler, method: DescMethod, options: RouteOptions): unknown {
  const name = `${method.parent.typeName}/${method.name}`;
  switch (handler.kind) {
    case "unary":
      return async (request: Parameters<typeof handler.handle>[0], context: HandlerContext): Promise<MessageInit> => {
        const call = new ConnectCall(context, name, options);
        try {
          return await handler.handle(request, await call.begin());
        } catch (error) {
          throw call.failure(error);
        } finally {
          call.end();
        }
      };
    case "server_streaming":
      return (request: Parameters<typeof handler.handle>[0], context: HandlerContext) =>
        streamAnswers((call) => handler.handle(request, call), new ConnectCall(context, name, options));
    case "bidi_streaming":
      return (requests: Parameters<typeof handler.handle>[0], context: HandlerContext) =>
        streamAnswers((call) => handler.handle(requests, call), new ConnectCall(context, name, options));
    default:
      return handler satisfies never;
  }
}

async function* streamAnswers(
  answers: (context: CallContext) => AsyncIterable<MessageInit>,
  call: ConnectCall,
): AsyncGenerator<MessageInit, undefined> {
  try {
    yield* answers(await call.begin());
  } catch (error) {
    throw call.failure(error);
  } finally {
    call.end();
  }
}

/** One call: counted, and aborted when its caller leaves or the server closes. */
class ConnectCall {
  private readonly context: HandlerContext;
  private readonly method: string;
  private readonly options: RouteOptions;
  private release: (() => void) | undefined;

  constructor(context: HandlerContext, method: string, options: RouteOptions) {
    this.context = context;
    this.method = method;
    this.options = options;
  }

  /** Rejects for a caller who is not let in. */
  async begin(): Promise<CallContext> {
    markRequestRead(this.context);
    const active = this.options.calls.begin();
    const { signal: left } = this.context;
    const onLeft = (): void =>
      active.abort(left.reason instanceof Error ? left.reason : new Error("the call was cancelled"));
    if (left.aborted) onLeft();
    else left.addEventListener("abort", onLeft, { once: true });
    this.release = () => {
      left.removeEventListener("abort", onLeft);
      active.end();
    };
    const credentials = {
      authorization: this.context.requestHeader.get("authorization") ?? undefined,
      address: this.context.values.get(peerAddressKey),
    };
    const readmit = (): Caller | Promise<Caller> => this.options.admission.admit(credentials);
    const caller = await this.options.admission.admit({ ...credentials, method: this.context.method.name });
    return { signal: active.signal, timeoutMs: this.context.timeoutMs, caller, readmit };
  }

  /** What the caller is told. One that left, or whose deadline passed, is told what Connect says of that. */
  failure(error: unknown): ConnectError {
    const { signal } = this.context;
    if (signal.aborted) return ConnectError.from(signal.reason, Code.Canceled);
    return toConnectError(this.options.errors.toMeridianError(error, this.method));
  }

  end(): void {
    this.release?.();
  }
}
