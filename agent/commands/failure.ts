/**
 * Why a command fails, as the server is told: a reason, a sentence, whose fault it looks like, and whether the same command
 * might succeed later. The table says it for everything that the local service can answer; what the commands find out by
 * themselves, they throw as a `CommandFailure`.
 */
import { type Failure, Failure_Suspect } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { DeadlineExceeded } from "../deadline.ts";
import { ParallelsError, type ParallelsErrorKind } from "../parallels/api.ts";

export type Suspect = "host" | "template" | "network" | "request" | "server" | "unknown";

export interface FailureKind {
  /** One CamelCase word. */
  readonly reason: string;
  readonly suspect: Suspect;
  readonly isRetryable: boolean;
}

export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly kind: FailureKind;

  /** @param message a sentence for people, without secrets. */
  constructor(kind: FailureKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** The server has withdrawn the command. */
export class CommandCancelled extends Error {
  override readonly name = "CommandCancelled";
}

/** The agent stops; the command has not ended, its next run takes it up again. */
export class AgentStopping extends Error {
  override readonly name = "AgentStopping";
}

/** What each answer of the local service means for a command. */
const parallelsFailures: Readonly<Record<ParallelsErrorKind, FailureKind>> = {
  unreachable: { reason: "ParallelsUnreachable", suspect: "host", isRetryable: true },
  "timed-out": { reason: "ParallelsTimedOut", suspect: "host", isRetryable: true },
  // An operator must act first; on another host the same VM may well be made.
  unauthorised: { reason: "ParallelsRefusesAgent", suspect: "host", isRetryable: false },
  // Somebody removed it by hand.
  "vm-not-found": { reason: "VmNotFound", suspect: "host", isRetryable: false },
  // The VM was on its way to another state, or a person changed it.
  "state-not-allowed": { reason: "StateNotAllowed", suspect: "request", isRetryable: true },
  "macos-limit": { reason: "MacosLimit", suspect: "host", isRetryable: true },
  "disk-full": { reason: "DiskFull", suspect: "host", isRetryable: true },
  "name-taken": { reason: "NameTaken", suspect: "host", isRetryable: false },
  catalog: { reason: "CatalogFailed", suspect: "template", isRetryable: true },
  failed: { reason: "ParallelsFailed", suspect: "host", isRetryable: true },
};

/** What must be remembered cannot be: nothing is done that a restarted agent would not know of. */
export function journalNotWritten(cause: unknown): CommandFailure {
  return new CommandFailure(
    { reason: "JournalNotWritten", suspect: "host", isRetryable: true },
    "The agent cannot write its journal on this Mac; its log says why.",
    cause,
  );
}

/** The time until which the VM may live is over. */
export function leaseEnded(): CommandFailure {
  return new CommandFailure(
    { reason: "LeaseEnded", suspect: "request", isRetryable: false },
    "The VM's lease ran out; it is being removed.",
  );
}

const suspects: Readonly<Record<Suspect, Failure_Suspect>> = {
  host: Failure_Suspect.SUSPECT_HOST,
  template: Failure_Suspect.SUSPECT_TEMPLATE,
  network: Failure_Suspect.SUSPECT_NETWORK,
  request: Failure_Suspect.SUSPECT_REQUEST,
  server: Failure_Suspect.SUSPECT_SERVER,
  unknown: Failure_Suspect.SUSPECT_UNSPECIFIED,
};

/** The failure that stands for an error of the local service's kind. */
export function failureKindOf(kind: ParallelsErrorKind): FailureKind {
  return parallelsFailures[kind];
}

/** What the server is told about `error`. */
export function describeFailure(error: unknown): Failure {
  return toFailure(...judge(error));
}

export function toFailure(kind: FailureKind, message: string): Failure {
  return {
    reason: kind.reason,
    message: message.slice(0, messageMaxLength),
    suspect: suspects[kind.suspect],
    retryable: kind.isRetryable,
  };
}

/** Long enough for any sentence; what a service appends to it (whole outputs of its tools) is cut. */
const messageMaxLength = 1_000;

function judge(error: unknown): [FailureKind, string] {
  if (error instanceof CommandFailure) return [error.kind, error.message];
  if (error instanceof ParallelsError) return [parallelsFailures[error.kind], error.message];
  if (error instanceof CommandCancelled) {
    return [{ reason: "Cancelled", suspect: "request", isRetryable: false }, error.message];
  }
  if (error instanceof DeadlineExceeded) {
    return [{ reason: "TimedOut", suspect: "host", isRetryable: true }, error.message];
  }
  return [
    { reason: "AgentFault", suspect: "unknown", isRetryable: false },
    "The agent met an error that it does not know; its log says more.",
  ];
}
