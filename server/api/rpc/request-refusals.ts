/**
 * Requests that Connect refuses before a handler sees them: bodies above the bound, JSON and bytes that are no such message,
 * methods that do not exist. Connect's own errors have a code and a message; here they get the reason that all of Meridian's
 * errors have. What is wrong with the connection itself, such as an unknown compression, is left as Connect says it.
 */
import type { DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { MeridianError } from "../../../shared/errors.ts";
import { toConnectError } from "../error-status.ts";
import { requestBytesMax } from "../limits.ts";

/**
 * Runs before the body is read. Connect aborts the call with the error before it tells the caller, which is the one moment to
 * add to it: interceptors see only requests that could be read.
 */
export function explainRefusals(context: HandlerContext): void {
  context.signal.addEventListener(
    "abort",
    () => {
      const { reason: error } = context.signal;
      if (!(error instanceof ConnectError) || context.values.get(wasReadKey)) return;
      const refusal = refusalOf(error, context.method.input);
      if (refusal === undefined) return;
      const { code, rawMessage, details } = toConnectError(refusal);
      Object.assign(error, { code, rawMessage, details });
    },
    { once: true },
  );
}

/** The request has reached its handler; whatever fails from here on is not the request's form. */
export function markRequestRead(context: HandlerContext): void {
  context.values.set(wasReadKey, true);
}

/** The request is for a method, or a service, that is not here. */
export function unknownMethod(path: string): MeridianError {
  return new MeridianError(
    "METHOD_UNKNOWN",
    `${path} is no method of this server; calls are POST /meridian.v1.VmService/GetVm and the like`,
    { metadata: { path } },
  );
}

/** Of bytes; of JSON it is known what is wrong, and where. */
export function undecodableRequest(schema: DescMessage, cause: unknown): MeridianError {
  return new MeridianError("REQUEST_MALFORMED", `the request is no ${schema.typeName}: its bytes cannot be decoded`, {
    metadata: { message: schema.typeName },
    cause,
  });
}

const wasReadKey = createContextKey(false, { description: "whether the request has reached its handler" });

function refusalOf(error: ConnectError, schema: DescMessage): MeridianError | undefined {
  switch (error.code) {
    case Code.ResourceExhausted:
      return new MeridianError("REQUEST_TOO_LARGE", `the request is larger than ${requestBytesMax} bytes`, {
        metadata: { most: String(requestBytesMax) },
      });
    case Code.InvalidArgument:
      return new MeridianError("REQUEST_MALFORMED", error.rawMessage, {
        metadata: { message: schema.typeName, detail: error.rawMessage },
        cause: error,
      });
    // Connect's word for bytes that it cannot decompress or decode, which is the caller's fault all the same.
    case Code.Internal:
      return undecodableRequest(schema, error);
    default:
      return undefined;
  }
}
