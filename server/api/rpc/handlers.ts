/**
 * The shape of the API's handlers: Connect's `ServiceImpl` with a smaller context, so that one set of handlers stands behind
 * gRPC (`grpc-mount.ts`) and behind Connect, gRPC-Web and JSON (`connect-routes.ts`) alike. Handlers throw `MeridianError`s;
 * the front doors turn them into what their protocol has.
 */
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { Caller } from "../../access/caller.ts";

export interface CallContext {
  /** Who calls. */
  readonly caller: Caller;
  /** Who calls, asked again: rights may have changed since. Throws or rejects as `Admission.admit` does. */
  readonly readmit: () => Caller | Promise<Caller>;
  /** Aborted when the caller gives up, its deadline passes, the server closes, or the call is over. */
  readonly signal: AbortSignal;
  /** What is left until the caller's deadline, in ms; undefined if it has none. */
  readonly timeoutMs: () => number | undefined;
}

export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Promise<MessageInitShape<O>>;

export type ServerStreamHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

export type BidiHandler<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

type HandlerOf<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? UnaryHandler<I, O>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? ServerStreamHandler<I, O>
      : M extends DescMethodBiDiStreaming<infer I, infer O>
        ? BidiHandler<I, O>
        : never;

/** A handler for each method of a service. */
export type Handlers<S extends DescService> = { readonly [P in keyof S["method"]]: HandlerOf<S["method"][P]> };

/** A service with its handlers, their types forgotten. */
export interface ServiceBinding {
  readonly service: DescService;
  handler(method: DescMethod): MethodHandler;
}

export type MethodHandler =
  | { readonly kind: "unary"; readonly handle: UnaryHandler<DescMessage, DescMessage> }
  | { readonly kind: "server_streaming"; readonly handle: ServerStreamHandler<DescMessage, DescMessage> }
  | { readonly kind: "bidi_streaming"; readonly handle: BidiHandler<DescMessage, DescMessage> };

/** Binds handlers to their service. The types are checked here, and from here on matched by the method's descriptor. */
export function bindService<S extends DescService>(service: S, handlers: Handlers<S>): ServiceBinding {
  const byName = new Map<string, unknown>(Object.entries(handlers));
  return {
    service,
    handler(method) {
      const handle = byName.get(method.localName);
      // The mapped type above demands a handler of the right kind for each method, and TypeScript cannot follow it here.
      switch (method.methodKind) {
        case "unary":
          return { kind: "unary", handle: handle as UnaryHandler<DescMessage, DescMessage> };
        case "server_streaming":
          return { kind: "server_streaming", handle: handle as ServerStreamHandler<DescMessage, DescMessage> };
        case "bidi_streaming":
          return { kind: "bidi_streaming", handle: handle as BidiHandler<DescMessage, DescMessage> };
        default:
          throw new Error(`${service.typeName}/${method.name}: streams of requests alone are not served`);
      }
    },
  };
}
