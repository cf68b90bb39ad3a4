/**
 * What a failed call means to a person: the server's own sentence (google.rpc.Status with its details) and what to do
 * about it, or, when no server answered, where it was sought and how to start one.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../shared/gen/es/google/rpc/error_details_pb.ts";
import type { Connection } from "./connection.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure, QuietExit } from "./failure.ts";
import { tlsFailure } from "./tls-failure.ts";
import { formatDuration } from "./values/duration.ts";

const exitCodeOf: Readonly<Partial<Record<Code, number>>> = {
  [Code.InvalidArgument]: exitCodes.wrongUsage,
  [Code.NotFound]: exitCodes.notFound,
  [Code.PermissionDenied]: exitCodes.denied,
  [Code.Unauthenticated]: exitCodes.denied,
  [Code.Unavailable]: exitCodes.unavailable,
  [Code.DeadlineExceeded]: exitCodes.timedOut,
};

/** @param interrupted whether the person asked to stop: then there is nothing to report. */
export function describeFailure(error: unknown, connection: Connection, interrupted: AbortSignal): Error {
  if (error instanceof Failure || error instanceof QuietExit) return error;
  if (interrupted.aborted) return new QuietExit(exitCodes.interrupted);
  if (!(error instanceof ConnectError)) return error instanceof Error ? error : new Error(String(error));
  // A call that could not be begun, for want of a token say: the library wraps what was thrown.
  if (error.cause instanceof Failure) return error.cause;
  if (isSaidByServer(error)) return serverSaid(error);
  return nothingCame(error, connection);
}

/** Whether a call that repeats itself may try again: the server is away, or the connection broke. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof ConnectError) || error.cause instanceof Failure) return false;
  // A connection that breaks in the middle of a call shows as canceled or aborted, without the details of a server's answer.
  return error.code === Code.Unavailable || (!isSaidByServer(error) && brokenCodes.includes(error.code));
}

const brokenCodes: readonly Code[] = [Code.Canceled, Code.Aborted, Code.Internal, Code.Unknown];

/** A Meridian server sends an ErrorInfo with every error; anything without one was made up on the way. */
function isSaidByServer(error: ConnectError): boolean {
  return error.findDetails(ErrorInfoSchema).length > 0;
}

function serverSaid(error: ConnectError): Failure {
  const info = error.findDetails(ErrorInfoSchema)[0];
  const fields = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
  const reason = info?.reason ?? "";
  const hint = hintFor(error, reason);
  return new Failure(error.rawMessage, {
    exitCode: exitCodeOf[error.code] ?? exitCodes.failed,
    code: codeName(error.code),
    reason,
    metadata: info?.metadata ?? {},
    fields: fields.map(({ field, description }) => ({ field, description })),
    ...(hint !== undefined && { hint }),
    cause: error,
  });
}

function hintFor(error: ConnectError, reason: string): string | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (delay !== undefined) {
    return `Try again in ${formatDuration(Number(delay.seconds) * 1000 + delay.nanos / 1_000_000)}.`;
  }
  switch (reason) {
    case "RESOURCE_NOT_FOUND": {
      const noun = nounOf(error.findDetails(ErrorInfoSchema)[0]?.metadata["resource"] ?? error.rawMessage);
      return noun === undefined ? undefined : `\`meridian ${noun} list\` shows what there is.`;
    }
    case "ETAG_MISMATCH":
      return "Somebody else changed it meanwhile: look at it again and repeat the command.";
    case "REVISION_TOO_OLD":
      return "Watch again without --from-revision.";
    case "INTERNAL_ERROR":
      return "That is a bug of Meridian's; the server's log has more.";
    default:
      return error.code === Code.Unauthenticated
        ? "Give a token with --token, MERIDIAN_TOKEN or --token-command."
        : undefined;
  }
}

function nounOf(text: string): string | undefined {
  const collection = /\b([a-zA-Z]+)\//.exec(text)?.[1] ?? "";
  return nouns.get(collection);
}

const nouns: ReadonlyMap<string, string> = new Map([
  ["hosts", "host"],
  ["vms", "vm"],
  ["templates", "template"],
  ["catalogs", "catalog"],
  ["projects", "project"],
  ["serviceAccounts", "account"],
  ["joinTokens", "token"],
  ["tokens", "token"],
  ["issuers", "issuer"],
]);

function nothingCame(error: ConnectError, connection: Connection): Failure {
  const { server, timeoutMs } = connection;
  const aboutTls = tlsFailure(error, connection);
  if (aboutTls !== undefined) return aboutTls;
  if (error.code === Code.DeadlineExceeded) {
    return new Failure(`the server at ${server} did not answer within ${formatDuration(timeoutMs)}`, {
      exitCode: exitCodes.timedOut,
      code: codeName(error.code),
      hint: "Give it longer with --timeout.",
      cause: error,
    });
  }
  if (error.code === Code.Unimplemented) {
    return new Failure(`what answers at ${server} does not know this call`, {
      exitCode: exitCodes.failed,
      code: codeName(error.code),
      hint: "It is an older Meridian, or no Meridian at all: check the address.",
      cause: error,
    });
  }
  if (isConnectionLost(error)) {
    return new Failure(`cannot reach a server at ${server}: ${whyUnreachable(error)}`, {
      exitCode: exitCodes.unavailable,
      code: codeName(Code.Unavailable),
      hint:
        "Start one with `meridian server --data-dir DIR`, " +
        "or name another with --server HOST:PORT or MERIDIAN_SERVER.",
      cause: error,
    });
  }
  return new Failure(`the server at ${server} answered: ${error.rawMessage}`, {
    exitCode: exitCodeOf[error.code] ?? exitCodes.failed,
    code: codeName(error.code),
    cause: error,
  });
}

const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host name",
  EAI_AGAIN: "the host name could not be resolved",
  ETIMEDOUT: "no answer to the attempt to connect",
  ECONNRESET: "the connection broke",
};

function whyUnreachable(error: ConnectError): string {
  const codes: string[] = [];
  let link: unknown = error.cause;
  // A chain of causes is short; the bound guards against one that bites its own tail.
  for (let depth = 0; depth < 8 && link instanceof Error; depth += 1) {
    if ("code" in link && typeof link.code === "string") codes.push(link.code);
    link = link.cause;
  }
  const known = codes.find((code) => unreachable[code] !== undefined);
  return (known !== undefined ? unreachable[known] : undefined) ?? "the connection broke";
}

/** The gRPC name of a code, such as NOT_FOUND. */
function codeName(code: Code): string {
  return Code[code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
