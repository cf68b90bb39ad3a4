/** How commands go on and end, and what their ends mean for their VMs. */
import { assertNever } from "../../shared/assert.ts";
import { asCommandId, asUid, type CommandId, type HostId, type Uid } from "../../shared/ids.ts";
import { nextCommandState } from "../pool/command-machine.ts";
import type { CommandReport, CommandReported } from "../pool/events/host-reports.ts";
import { pendingExpiry } from "../pool/lease.ts";
import { displacementsMax, retryDelayMs, stepRetriesMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import { isToWaitAnew } from "../pool/preemption.ts";
import type { CommandState, Suspect, VmCommand, VmFailure, VmRecord } from "../pool/vm.ts";
import { seenTrigger, type VmTrigger } from "../pool/vm-machine.ts";
import { blame } from "./blame.ts";
import { changeVm, failVm, moveVm, releasedHost, stateDeadlineMs, type VmFields } from "./change-vm.ts";
import { currentHost } from "./checks.ts";
import { expireVm } from "./expiry.ts";
import { applyPrefetchReport } from "./image-prefetches.ts";
import { applyPurgeReport } from "./image-purges.ts";
import { retryElsewhere } from "./letting-go.ts";
import { applyRemovalReport } from "./orphans.ts";
import { queueAnew } from "./preemption.ts";
import { sightOf } from "./sightings.ts";

export function applyCommandReported(pool: Pool, event: CommandReported, timeMs: number): boolean {
  if (currentHost(pool, event.hostId, event.epoch) === undefined) return false;
  return applyCommandReport(pool, event.hostId, event.report, timeMs);
}

/** Applies a report of a command that is still waited for, by its VM or as a removal; false if it is not. */
export function applyCommandReport(pool: Pool, host: HostId, report: CommandReport, timeMs: number): boolean {
  const vm = pool.findVmByUid(commandUid(report.commandId));
  if (vm?.command === undefined || vm.command.id !== report.commandId || vm.host !== host) {
    return [applyRemovalReport, applyPurgeReport, applyPrefetchReport].some((apply) =>
      apply(pool, host, report, timeMs),
    );
  }
  const { command } = vm;
  const state = nextCommandState(command.state, report.state);
  const step: Step = { pool, vm, command, report, timeMs };
  // What is under way tells of its progress again and again; everything else that comes twice changes nothing.
  const outcome = state ?? report.state;
  switch (outcome) {
    case "ACCEPTED":
      if (state !== undefined) goOn(step, state);
      break;
    case "RUNNING":
      goOn(step, "RUNNING");
      break;
    case "SUCCEEDED":
      succeed(step);
      break;
    case "FAILED":
      giveUpOrRetry(step);
      break;
    case "REFUSED":
      displace(step);
      break;
    case "SENT":
      break;
    default:
      assertNever(outcome, "command state");
  }
  return true;
}

/** The id of a VM's command number `count`: derived, so that the same decision is the same command. */
export function commandIdOf(uid: Uid, count: number): CommandId {
  return asCommandId(`${uid}-${count}`);
}

interface Step {
  readonly pool: Pool;
  readonly vm: VmRecord;
  readonly command: VmCommand;
  readonly report: CommandReport;
  readonly timeMs: number;
}

function commandUid(id: CommandId): Uid {
  return asUid(id.slice(0, 32));
}

function goOn({ pool, vm, command, report, timeMs }: Step, state: CommandState): void {
  const { resendCount = 0, ...sent } = command;
  const fields: VmFields = {
    command: { ...sent, state, ...(report.progress === undefined && resendCount > 0 ? { resendCount } : {}) },
    ...(report.progress === undefined ? {} : { progress: report.progress }),
    ...(report.vm === undefined ? {} : { sight: sightOf(report.vm) }),
  };
  if (command.kind === "create" && vm.state === "PLACED") {
    moveVm(pool, vm, "create-begun", { timeMs, reason: "Accepted", fields });
    return;
  }
  // Progress moves the deadline: slowness is no failure.
  const deadlineMs = vm.deadlineMs === undefined ? undefined : stateDeadlineMs(vm, vm.state, timeMs);
  changeVm(pool, vm, timeMs, { ...fields, deadlineMs });
}

function succeed({ pool, vm, command, report, timeMs }: Step): void {
  const sight = report.vm === undefined ? vm.sight : sightOf(report.vm);
  const fields: VmFields = { command: undefined, progress: undefined, retryAtMs: undefined, sight };
  const move = (trigger: VmTrigger, reason: string, more: VmFields = {}, message = ""): void => {
    moveVm(pool, vm, trigger, { timeMs, reason, message, fields: { ...fields, ...more } });
  };
  switch (command.kind) {
    case "create":
      return move("made", "Created", { retryCount: 0, failure: undefined });
    case "start":
    case "resume":
    case "restart":
    case "reset":
      // The count of restarts goes on: a guest that always stops again is noticed by it.
      return move("ready", "Ready", { failure: undefined });
    case "stop":
      return move("seen-stopped", "Stopped", { retryCount: 0 });
    case "suspend":
      return move("seen-suspended", "Suspended", { retryCount: 0 });
    case "pause":
      return move("seen-paused", "Paused", { retryCount: 0 });
    case "delete":
      if (isToWaitAnew(vm)) {
        queueAnew(pool, vm, timeMs);
        return;
      }
      return move("gone", vm.endReason ?? "Deleted", { ...releasedHost, retryCount: 0 }, vm.endReason && vm.message);
    default:
      return assertNever(command.kind, "command kind");
  }
}

/** The step is tried again on its host as long as that may help; then the VM has failed. */
function giveUpOrRetry(step: Step): void {
  const { pool, vm, command, report, timeMs } = step;
  const expiry = pendingExpiry(vm);
  if (expiry !== undefined && expiry.atMs <= timeMs) {
    // Its host may have ended it for the same reason.
    expireVm(pool, changeVm(pool, vm, timeMs, { command: undefined, progress: undefined }), expiry, timeMs);
    return;
  }
  const failure = reportedFailure(report);
  const isDelete = command.kind === "delete";
  const isRetried = isDelete || (failure.isRetryable && vm.retryCount < stepRetriesMax);
  const sight = report.vm === undefined ? undefined : sightOf(report.vm);
  // A create that failed shows what it left; one that never began shows nothing, and an earlier try may have left something.
  const isRefused = report.state === "REFUSED";
  const left = isRefused || report.isVmUnknown ? (sight ?? vm.sight) : sight;
  const mayHaveRemains = report.isVmUnknown ?? (isRefused && sight === undefined ? vm.mayHaveRemains : undefined);
  if (!isRetried) {
    const isMaking = command.kind === "create" || command.kind === "start";
    const judged = isMaking ? blame(pool, vm, failure, timeMs) : failure;
    if (retryElsewhere(pool, { ...vm, sight: sight ?? vm.sight }, judged, timeMs)) return;
    const releasesHost = command.kind === "create" && left === undefined && mayHaveRemains !== true;
    const { reason, message, suspect } = judged;
    failVm(pool, vm, timeMs, { reason, message, suspect, releasesHost });
    return;
  }
  const fields: VmFields = {
    command: undefined,
    progress: undefined,
    sight: sight ?? vm.sight,
    mayHaveRemains,
    retryCount: vm.retryCount + 1,
    retryAtMs: timeMs + retryDelayMs(vm.retryCount),
    failure: failureOf(step, failure),
    // Whether a guest was restarted cannot be seen: the wish is kept until it was.
    pendingAction: command.kind === "restart" || command.kind === "reset" ? command.kind : vm.pendingAction,
  };
  const seen = command.kind === "create" || isDelete ? undefined : seenTrigger(sight?.state ?? "");
  if (seen === undefined) changeVm(pool, vm, timeMs, fields);
  else moveVm(pool, vm, seen, { timeMs, reason: failure.reason, message: failure.message, fields });
}

/** The host never began. A VM that was to be made there looks for another place; anything else is tried again. */
function displace(step: Step): void {
  const { pool, vm, command, report, timeMs } = step;
  // What an earlier try left there has to be made good or removed there, so such a VM stays.
  if (command.kind !== "create" || vm.sight !== undefined || vm.mayHaveRemains === true) {
    giveUpOrRetry(step);
    return;
  }
  const { reason, message, suspect } = blame(pool, vm, reportedFailure(report), timeMs);
  if (vm.retryCount >= displacementsMax) {
    failVm(pool, vm, timeMs, { reason, message, suspect, releasesHost: true });
    return;
  }
  moveVm(pool, vm, "displaced", {
    timeMs,
    reason,
    message,
    fields: {
      ...releasedHost,
      command: undefined,
      progress: undefined,
      failure: failureOf(step, { reason, message, suspect }),
      retryCount: vm.retryCount + 1,
      retryAtMs: timeMs + retryDelayMs(vm.retryCount),
    },
  });
}

/** A failure that is not the end, as the VM's record keeps it. */
function failureOf(
  { vm, timeMs }: Step,
  { reason, message, suspect }: Omit<ReportedFailure, "isRetryable">,
): VmFailure {
  return { reason, message, suspect, timeMs, ...(vm.host === undefined ? {} : { host: vm.host }) };
}

interface ReportedFailure {
  readonly reason: string;
  readonly message: string;
  readonly suspect: Suspect;
  readonly isRetryable: boolean;
}

function reportedFailure(report: CommandReport): ReportedFailure {
  return (
    report.failure ?? {
      reason: "Unexplained",
      message: "the host did not say why",
      suspect: "host",
      isRetryable: false,
    }
  );
}
