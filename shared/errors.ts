/**
 * The one class of operating errors: what a caller is told. Its code says what the caller should do, its reason is a
 * contract for programs (`docs/errors.md` lists all), and every variable of its message stands in `metadata` too.
 * The edges turn it into `google.rpc.Status`; a cause is kept for the log and never sent.
 */

/** gRPC's codes, as far as Meridian uses them. */
export const grpcCodes = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type ErrorCode = keyof typeof grpcCodes;

/** Every reason that a caller can meet, with the code that it always comes with. */
export const errorReasons = {
  /** A field of the request is missing, out of range or malformed. */
  FIELD_INVALID: "INVALID_ARGUMENT",
  /** The request is no message of its kind: not JSON, not protobuf, or with fields that do not exist. */
  REQUEST_MALFORMED: "INVALID_ARGUMENT",
  /** The request is larger than any that is taken. */
  REQUEST_TOO_LARGE: "RESOURCE_EXHAUSTED",
  /** There is no such service or method. */
  METHOD_UNKNOWN: "UNIMPLEMENTED",
  /** A filter, an order or an update mask cannot be understood. */
  EXPRESSION_INVALID: "INVALID_ARGUMENT",
  /** A page token is not one of this list and these parameters. */
  PAGE_TOKEN_INVALID: "INVALID_ARGUMENT",
  /** A request id came again with other content. */
  REQUEST_ID_REUSED: "INVALID_ARGUMENT",
  /** The named resource does not exist. */
  RESOURCE_NOT_FOUND: "NOT_FOUND",
  /** A resource of that name exists. */
  RESOURCE_EXISTS: "ALREADY_EXISTS",
  /** The resource has changed since its etag was read. */
  ETAG_MISMATCH: "ABORTED",
  /** A watch asked for changes that are no longer kept. */
  REVISION_TOO_OLD: "ABORTED",
  /** The resource is in a state that does not allow the call. */
  STATE_NOT_ALLOWED: "FAILED_PRECONDITION",
  /** Other resources still depend on the resource. */
  RESOURCE_IN_USE: "FAILED_PRECONDITION",
  /** What is waited for can no longer happen. */
  WAIT_HOPELESS: "FAILED_PRECONDITION",
  /** What was waited for did not happen in time. */
  WAIT_TIMED_OUT: "DEADLINE_EXCEEDED",
  /** The host did not finish in time. */
  HOST_TIMED_OUT: "DEADLINE_EXCEEDED",
  /** The host does not talk to the server at the moment. */
  HOST_AWAY: "UNAVAILABLE",
  /** The host tried and could not. */
  HOST_COMMAND_FAILED: "FAILED_PRECONDITION",
  /** The server is stopping, or not serving yet. */
  SERVER_NOT_SERVING: "UNAVAILABLE",
  /** A bound was met; the message names it. */
  LIMIT_REACHED: "RESOURCE_EXHAUSTED",
  /** Not all VMs of a batch fit now, and all were asked for or none. */
  NO_ROOM: "RESOURCE_EXHAUSTED",
  /** A watcher reads more slowly than changes come. */
  WATCHER_TOO_SLOW: "RESOURCE_EXHAUSTED",
  /** The call does not say who makes it. */
  CREDENTIALS_MISSING: "UNAUTHENTICATED",
  /** What the call says of who makes it is not so: an unknown token, or one that has ended. */
  CREDENTIALS_INVALID: "UNAUTHENTICATED",
  /** The keys of the issuer of the caller's token cannot be had, so that it can be proven neither right nor wrong. */
  ISSUER_UNAVAILABLE: "UNAVAILABLE",
  /** The caller lacks the role that the call needs. */
  ROLE_MISSING: "PERMISSION_DENIED",
  /** The template may not be used in this project, or by one of the caller's role. */
  TEMPLATE_NOT_ALLOWED: "PERMISSION_DENIED",
  /** The template is revoked. */
  TEMPLATE_REVOKED: "FAILED_PRECONDITION",
  /** The caller's rights have changed under a call that went on. */
  ACCESS_CHANGED: "ABORTED",
  /** A join token is unknown, spent, expired, revoked, or for other hosts. */
  JOIN_TOKEN_REFUSED: "PERMISSION_DENIED",
  /** The certificates of the host were revoked. */
  HOST_REVOKED: "PERMISSION_DENIED",
  /** A bug of Meridian's. */
  INTERNAL_ERROR: "INTERNAL",
} as const satisfies Record<string, ErrorCode>;

export type ErrorReason = keyof typeof errorReasons;

/** The `domain` of every ErrorInfo. */
export const errorDomain = "meridian";

export interface ErrorOptions {
  /** Every variable of the message. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The fields of the request that are wrong, each with what is wrong. */
  readonly fields?: readonly { readonly field: string; readonly description: string }[];
  /** When the call may be tried again, in ms from now. */
  readonly retryAfterMs?: number;
  /** The resource that the error is about, such as `vms/a`. */
  readonly resource?: string;
  /** For the log; never sent. */
  readonly cause?: unknown;
}

export class MeridianError extends Error {
  override readonly name = "MeridianError";
  readonly reason: ErrorReason;
  readonly code: ErrorCode;
  readonly options: ErrorOptions;

  /** @param message what happened, why, and what to do; never a secret, never the cause's text. */
  constructor(reason: ErrorReason, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.code = errorReasons[reason];
    this.options = options;
  }
}

export function fieldInvalid(field: string, description: string): MeridianError {
  return new MeridianError("FIELD_INVALID", `${field}: ${description}`, {
    fields: [{ field, description }],
    metadata: { field },
  });
}

/** @param resource the full name, such as `vms/a`. */
export function notFound(resource: string): MeridianError {
  return new MeridianError("RESOURCE_NOT_FOUND", `${resource} does not exist`, { resource, metadata: { resource } });
}
