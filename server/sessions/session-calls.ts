/**
 * Direct calls to hosts, over their sessions. What an agent still says of a call from an earlier session is known by the
 * call's id, and dropped.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { CommandUpdate } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { asCommandId, type CommandId, type HostId, type IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { CommandReport } from "../pool/events/host-reports.ts";
import { isCallId, newCallId } from "./call-id.ts";
import { writeCall } from "./command-messages.ts";
import type { HostCall, HostCallResult, HostCalls } from "./host-calls.ts";
import { readReport } from "./host-messages.ts";
import { callsPerHostMax } from "./limits.ts";
import type { Session } from "./session.ts";

export interface SessionCallsOptions {
  readonly ids: IdSource;
  readonly clock: Clock;
  readonly log: Logger;
  /** The host's open session. */
  readonly findSession: (host: HostId) => Session | undefined;
}

export class SessionCalls implements HostCalls {
  private readonly options: SessionCallsOptions;
  private readonly pending = new Map<Session, Map<CommandId, PendingCall>>();

  constructor(options: SessionCallsOptions) {
    this.options = options;
  }

  async call(
    host: HostId,
    call: HostCall,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<HostCallResult> {
    const { timeoutMs, signal } = options;
    signal.throwIfAborted();
    const session = this.options.findSession(host);
    if (session === undefined) throw hostAway(host, "it is not connected");
    const calls = this.callsOf(session);
    if (calls.size >= callsPerHostMax) throw tooManyCalls(host);

    const id = newCallId(this.options.ids);
    const startedAtMs = this.options.clock.monotonicMs();
    const ended = Promise.withResolvers<HostCallResult>();
    const giveUp = (reason: string, error: unknown): void => {
      session.sendCancel(id, reason);
      ended.reject(error);
    };
    const timer = this.options.clock.after(timeoutMs, () => giveUp("TimedOut", timedOut(host, call.kind, timeoutMs)));
    const onAbort = (): void => giveUp("CallerLeft", signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    calls.set(id, { host, ...ended });
    const log = this.options.log.child({ host_id: host, session_id: session.id, command_id: id, kind: call.kind });
    log.debug("call sent");
    session.sendCommand(writeCall(id, call, timeoutMs));
    try {
      return await ended.promise;
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
      calls.delete(id);
      log.debug({ duration_ms: this.options.clock.monotonicMs() - startedAtMs }, "call ended");
    }
  }

  /** False: the update is not about a call. */
  onUpdate(session: Session, update: CommandUpdate): boolean {
    if (!isCallId(update.commandId)) return false;
    const call = this.pending.get(session)?.get(asCommandId(update.commandId));
    if (call !== undefined) settleCall(call, update);
    return true;
  }

  /** The session is over: its calls have failed, though they may have been done. */
  onEnd(session: Session): void {
    const calls = this.pending.get(session);
    if (calls === undefined) return;
    this.pending.delete(session);
    for (const call of calls.values())
      call.reject(hostAway(call.host, "its session ended; the call may have been done"));
  }

  private callsOf(session: Session): Map<CommandId, PendingCall> {
    let calls = this.pending.get(session);
    if (calls === undefined) {
      calls = new Map();
      this.pending.set(session, calls);
    }
    return calls;
  }
}

interface PendingCall {
  readonly host: HostId;
  readonly resolve: (result: HostCallResult) => void;
  readonly reject: (error: unknown) => void;
}

function settleCall(call: PendingCall, update: CommandUpdate): void {
  const report = readReport(update);
  if (report === undefined || report.state === "ACCEPTED" || report.state === "RUNNING") return;
  if (report.state !== "SUCCEEDED") {
    call.reject(commandFailed(call.host, report.failure));
    return;
  }
  call.resolve({
    ...(report.vm === undefined ? {} : { vm: report.vm }),
    ...(update.exec === undefined ? {} : { exec: update.exec }),
  });
}

function commandFailed(host: HostId, failure: CommandReport["failure"]): MeridianError {
  const { reason, message, suspect } = failure ?? {
    reason: "Unknown",
    message: "no reason was given",
    suspect: "none",
  };
  return new MeridianError("HOST_COMMAND_FAILED", `hosts/${host} could not do it: ${message} (${reason})`, {
    resource: `hosts/${host}`,
    metadata: { host, reason, message, suspect },
  });
}

function hostAway(host: HostId, why: string): MeridianError {
  return new MeridianError("HOST_AWAY", `hosts/${host} cannot be reached: ${why}`, {
    resource: `hosts/${host}`,
    metadata: { host },
    retryAfterMs: retryAwayMs,
  });
}

function timedOut(host: HostId, kind: HostCall["kind"], timeoutMs: number): MeridianError {
  return new MeridianError("HOST_TIMED_OUT", `hosts/${host} did not finish ${kind} within ${timeoutMs} ms`, {
    resource: `hosts/${host}`,
    metadata: { host, kind, timeout_ms: String(timeoutMs) },
  });
}

function tooManyCalls(host: HostId): MeridianError {
  return new MeridianError(
    "LIMIT_REACHED",
    `${callsPerHostMax} calls are under way on hosts/${host}, which is the limit; wait until one has ended`,
    {
      resource: `hosts/${host}`,
      metadata: { host, limit: String(callsPerHostMax) },
      retryAfterMs: retryBusyMs,
    },
  );
}

/** A Mac that lost its session is usually back within seconds. */
const retryAwayMs = 5000;
/** Short commands end within seconds. */
const retryBusyMs = 1000;
