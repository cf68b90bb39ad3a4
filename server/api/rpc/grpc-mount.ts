/**
 * Puts handlers on a grpc-js server: unary calls, server streams and bidirectional ones; deadlines and cancellation as an
 * abort signal; errors with their details; back-pressure, so that a reader that does not read costs a few messages and no
 * more.
 */
import { once } from "node:events";
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Metadata,
  type MethodDefinition,
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import type { Clock } from "../../../shared/clock.ts";
import type { MeridianError } from "../../../shared/errors.ts";
import type { Admission } from "../../access/admission.ts";
import type { Caller } from "../../access/caller.ts";
import { type ErrorReporter, toGrpcStatus } from "../error-status.ts";
import type { ActiveCall, ActiveCalls } from "./active-calls.ts";
import type { CallContext, MethodHandler, ServiceBinding } from "./handlers.ts";
import { peerAddress } from "./peer-address.ts";
import { undecodableRequest } from "./request-refusals.ts";
import { sharedEncodingOf } from "./shared-answers.ts";

export interface MountOptions {
  readonly calls: ActiveCalls;
  readonly errors: ErrorReporter;
  readonly clock: Clock;
  readonly admission: Admission;
}

export function mountService(server: Server, binding: ServiceBinding, options: MountOptions): void {
  const definition: Record<string, MethodDefinition<Incoming, MessageInit>> = {};
  const implementation: Record<string, UntypedHandleCall> = {};
  for (const method of binding.service.methods) {
    const handler = binding.handler(method);
    definition[method.name] = methodDefinition(method);
    implementation[method.name] = untypedCall(handler, {
      ...options,
      method: `${binding.service.typeName}/${method.name}`,
      rpc: method.name,
    });
  }
  server.addService(definition, implementation);
}

type MessageInit = MessageInitShape<DescMessage>;

/** A request, or why it cannot be read: grpc-js would call that INTERNAL, and it is the caller's fault. */
type Incoming = { readonly message: MessageShape<DescMessage> } | { readonly malformed: MeridianError };

interface CallOptions extends MountOptions {
  /** For the log. */
  readonly method: string;
  /** Its name in its service. */
  readonly rpc: string;
}

function methodDefinition(method: DescMethod): MethodDefinition<Incoming, MessageInit> {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestDeserialize: (bytes) => readMessage(method.input, bytes),
    responseSerialize: (message) => writeMessage(method.output, message),
    // Of clients only; a server never calls them.
    requestSerialize: () => Buffer.alloc(0),
    responseDeserialize: () => ({}),
  };
}

function readMessage(schema: DescMessage, bytes: Buffer): Incoming {
  try {
    return { message: fromBinary(schema, bytes) };
  } catch (error) {
    return { malformed: undecodableRequest(schema, error) };
  }
}

function messageOf(incoming: Incoming): MessageShape<DescMessage> {
  if ("malformed" in incoming) throw incoming.malformed;
  return incoming.message;
}

function writeMessage(schema: DescMessage, init: MessageInit): Buffer {
  const shared = sharedEncodingOf(init);
  if (shared?.bytes !== undefined) return shared.bytes;
  const bytes = toBinary(schema, create(schema, init));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // grpc-js copies it into a frame of its own, so that the same bytes can go out many times.
  if (shared !== undefined) shared.bytes = buffer;
  return buffer;
}

function untypedCall(handler: MethodHandler, options: CallOptions): UntypedHandleCall {
  switch (handler.kind) {
    case "unary":
      return unaryCall(handler.handle, options) as UntypedHandleCall;
    case "server_streaming":
      return serverStreamCall(handler.handle, options) as UntypedHandleCall;
    case "bidi_streaming":
      return bidiCall(handler.handle, options) as UntypedHandleCall;
    default:
      return handler satisfies never;
  }
}

type HandleOf<Kind extends MethodHandler["kind"]> = Extract<MethodHandler, { kind: Kind }>["handle"];

function unaryCall(handle: HandleOf<"unary">, options: CallOptions): handleUnaryCall<Incoming, MessageInit> {
  const answer = async (call: ServerUnaryCall<Incoming, MessageInit>): Promise<Outcome> => {
    let active: ActiveCall | undefined;
    try {
      active = beginCall(call, options);
      const context = await contextOf(call, active, options);
      const message = await handle(messageOf(call.request), context);
      return { error: null, message };
    } catch (error) {
      // Nobody is left to be told, and that the handler then stopped is no failure.
      if (call.cancelled) return { error: { code: status.CANCELLED }, message: null };
      return { error: toGrpcStatus(options.errors.toMeridianError(error, options.method)), message: null };
    } finally {
      active?.end();
    }
  };
  const answerCall = async (...[call, callback]: Parameters<handleUnaryCall<Incoming, MessageInit>>): Promise<void> => {
    const { error, message } = await answer(call);
    callback(error, message);
  };
  return (call, callback) => {
    // Never rejects: every error is an outcome.
    void answerCall(call, callback);
  };
}

/** Either of the two. */
interface Outcome {
  readonly error: Partial<StatusObject> | null;
  readonly message: MessageInit | null;
}

function serverStreamCall(
  handle: HandleOf<"server_streaming">,
  options: CallOptions,
): handleServerStreamingCall<Incoming, MessageInit> {
  return (call) => {
    const answers = (context: CallContext): AsyncIterable<MessageInit> => handle(messageOf(call.request), context);
    void sendAll(call, answers, options);
  };
}

function bidiCall(
  handle: HandleOf<"bidi_streaming">,
  options: CallOptions,
): handleBidiStreamingCall<Incoming, MessageInit> {
  return (call) => {
    void sendAll(call, (context) => handle(requestsOf(call), context), options);
  };
}

/** The requests of a stream. `for await` on the call itself would destroy it, the answer included, when it stops reading. */
async function* requestsOf(
  call: ServerDuplexStream<Incoming, MessageInit>,
): AsyncGenerator<MessageShape<DescMessage>, undefined> {
  const incoming: AsyncIterable<Incoming> = { [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false }) };
  for await (const request of incoming) yield messageOf(request);
}

type AnswerStream = ServerWritableStream<Incoming, MessageInit> | ServerDuplexStream<Incoming, MessageInit>;

/** Sends what the handler yields, as fast as the reader reads. Never rejects: every end is told to the caller. */
async function sendAll(
  call: AnswerStream,
  answers: (context: CallContext) => AsyncIterable<MessageInit>,
  options: CallOptions,
): Promise<void> {
  let active: ActiveCall | undefined;
  try {
    active = beginCall(call, options);
    for await (const message of answers(await contextOf(call, active, options))) {
      if (call.cancelled) return;
      if (!call.write(message)) await once(call, "drain", { signal: active.signal });
    }
    call.end();
  } catch (error) {
    // Nobody is left to be told. (`once` too ends here when the call is aborted while the reader does not read.)
    if (call.cancelled) return;
    const cause = active?.signal.aborted === true ? active.signal.reason : error;
    const told = toGrpcStatus(options.errors.toMeridianError(cause, options.method));
    call.emit("error", Object.assign(new Error(told.details), told));
  } finally {
    active?.end();
  }
}

/** What all kinds of calls of grpc-js have. */
interface GrpcCall {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getPeer(): string;
  getDeadline(): Date | number;
  once(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
}

function beginCall(call: GrpcCall, options: CallOptions): ActiveCall {
  const active = options.calls.begin();
  const onCancelled = (): void => active.abort(new CallCancelled());
  if (call.cancelled) onCancelled();
  else call.once("cancelled", onCancelled);
  return {
    ...active,
    end: () => {
      // grpc-js calls every call cancelled once its stream has closed, also one that was answered long before.
      call.off("cancelled", onCancelled);
      active.end();
    },
  };
}

/** Rejects for a caller who is not let in. */
async function contextOf(
  call: GrpcCall,
  active: ActiveCall,
  { admission, clock, rpc }: CallOptions,
): Promise<CallContext> {
  const deadlineMs = Number(call.getDeadline());
  const [authorization] = call.metadata.get("authorization");
  const credentials = {
    authorization: typeof authorization === "string" ? authorization : undefined,
    address: peerAddress(call.getPeer()),
  };
  const readmit = (): Caller | Promise<Caller> => admission.admit(credentials);
  return {
    caller: await admission.admit({ ...credentials, method: rpc }),
    readmit,
    signal: active.signal,
    timeoutMs: () => (Number.isFinite(deadlineMs) ? Math.max(0, deadlineMs - clock.wallMs()) : undefined),
  };
}

/** The caller gave up, its deadline passed, or its connection broke. */
class CallCancelled extends Error {
  override readonly name = "CallCancelled";
  constructor() {
    super("the call was cancelled");
  }
}
