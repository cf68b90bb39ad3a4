/**
 * What callers are told of an error: `google.rpc.Status` in gRPC's `grpc-status-details-bin`, and the same details through
 * Connect. A `MeridianError` is told as it is; anything else is a bug of ours, told as INTERNAL_ERROR with an id that the log
 * has too. Internals never leave.
 */
import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { type ErrorCode, errorDomain, MeridianError } from "../../shared/errors.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../shared/gen/es/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../shared/gen/es/google/rpc/status_pb.ts";
import type { IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import { errorTextLengthMax, violationsMax, violationTextLengthMax } from "./limits.ts";

export interface ErrorReporter {
  /** The error that the caller is told of. One that is none of ours is logged under a new id. */
  toMeridianError(error: unknown, method: string): MeridianError;
}

/** @param onFault told of every error that is a bug; the server ends on a broken invariant. */
export function createErrorReporter(ids: IdSource, log: Logger, onFault: (error: unknown) => void): ErrorReporter {
  return {
    toMeridianError(error, method) {
      if (error instanceof MeridianError) return error;
      const errorId = ids.suffix(12);
      log.error({ err: error, error_id: errorId, method }, "call failed");
      onFault(error);
      return new MeridianError("INTERNAL_ERROR", `Meridian failed; its log has the details under ${errorId}`, {
        metadata: { error_id: errorId },
      });
    },
  };
}

/** The status with its details, as grpc-js sends it. */
export function toGrpcStatus(error: MeridianError): Pick<StatusObject, "code" | "details" | "metadata"> {
  const code = status[error.code];
  const message = cut(error.message);
  const told = create(StatusSchema, {
    code,
    message,
    details: detailsOf(error).map(({ schema, value }) => anyPack(schema, value)),
  });
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, told)));
  return { code, details: message, metadata };
}

/** The same for Connect, gRPC-Web and JSON. */
export function toConnectError(error: MeridianError): ConnectError {
  const details = detailsOf(error).map(({ schema, value }) => ({ desc: schema, value }));
  return new ConnectError(cut(error.message), connectCodes[error.code], undefined, details);
}

/** Connect's codes are gRPC's, under names of their own. */
const connectCodes: Readonly<Record<ErrorCode, Code>> = {
  INVALID_ARGUMENT: Code.InvalidArgument,
  DEADLINE_EXCEEDED: Code.DeadlineExceeded,
  NOT_FOUND: Code.NotFound,
  ALREADY_EXISTS: Code.AlreadyExists,
  PERMISSION_DENIED: Code.PermissionDenied,
  RESOURCE_EXHAUSTED: Code.ResourceExhausted,
  FAILED_PRECONDITION: Code.FailedPrecondition,
  ABORTED: Code.Aborted,
  UNIMPLEMENTED: Code.Unimplemented,
  INTERNAL: Code.Internal,
  UNAVAILABLE: Code.Unavailable,
  UNAUTHENTICATED: Code.Unauthenticated,
};

interface Detail {
  readonly schema: DescMessage;
  readonly value: MessageShape<DescMessage>;
}

function detailsOf(error: MeridianError): Detail[] {
  const { fields, metadata, resource, retryAfterMs } = error.options;
  const details: Detail[] = [
    detail(ErrorInfoSchema, {
      reason: error.reason,
      domain: errorDomain,
      metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([key, value]) => [key, cut(value)])),
    }),
  ];
  if (fields !== undefined) {
    const fieldViolations = fields.slice(0, violationsMax).map(({ field, description }) => ({
      field: cut(field, violationTextLengthMax),
      description: cut(description, violationTextLengthMax),
      reason: error.reason,
    }));
    details.push(detail(BadRequestSchema, { fieldViolations }));
  }
  if (resource !== undefined) {
    const [collection = ""] = resource.split("/");
    details.push(detail(ResourceInfoSchema, { resourceType: collection, resourceName: cut(resource) }));
  }
  if (retryAfterMs !== undefined) {
    details.push(detail(RetryInfoSchema, { retryDelay: durationFromMs(Math.ceil(retryAfterMs)) }));
  }
  return details;
}

function detail<S extends DescMessage>(schema: S, init: Parameters<typeof create<S>>[1]): Detail {
  return { schema, value: create(schema, init) };
}

/** Texts of errors hold what the caller sent: bounded, and well-formed, since grpc-js cannot send half a surrogate pair. */
function cut(text: string, lengthMax: number = errorTextLengthMax): string {
  const short = text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
  return short.toWellFormed();
}
