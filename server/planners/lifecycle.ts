/**
 * The lifecycle planner: what a VM's host has to be told next, given what is wanted of it and what is so. It is
 * level-triggered: it looks at the VM as it is, never at what has just happened, and proposes at most one step.
 */

import type { VmCommanded } from "../pool/events/decisions.ts";
import type { VmWant } from "../pool/events/vms.ts";
import { isToWaitAnew } from "../pool/preemption.ts";
import type { CommandKind, VmRecord } from "../pool/vm.ts";
import { kindUnderWay } from "../pool/vm-machine.ts";

/** What happens to the VM next: a command, or its end if nothing of it is left anywhere; nothing if neither is due. */
export function planVmStep(vm: VmRecord, nowMs: number): VmCommanded | VmWant | undefined {
  if (vm.host === undefined) return planEnd(vm);
  const step = vm.spec.wanted === "deleted" || isToWaitAnew(vm) ? planDeletion(vm, nowMs) : planWanted(vm, nowMs);
  return step === undefined ? undefined : { type: "vm-commanded", id: vm.id, ...step };
}

/** Its host may have lost or refused a VM just when it was to be deleted: then there is nothing to tell any host. */
function planEnd(vm: VmRecord): VmWant | undefined {
  if (vm.spec.wanted !== "deleted" || vm.state === "DELETED") return undefined;
  return { type: "vm-want", id: vm.id, wanted: "deleted", force: vm.force };
}

interface PlannedStep {
  readonly kind: CommandKind;
  readonly force: boolean;
}

/** Deleting does not wait for other commands to end: it takes their place. It is tried again for ever. */
function planDeletion(vm: VmRecord, nowMs: number): PlannedStep | undefined {
  const isUnderWay = vm.command?.kind === "delete" && (vm.command.force || !vm.force);
  if (isUnderWay || isBackingOff(vm, nowMs) || vm.state === "DELETED") return undefined;
  return { kind: "delete", force: vm.force };
}

function planWanted(vm: VmRecord, nowMs: number): PlannedStep | undefined {
  if (vm.command !== undefined) {
    // A VM that is not wanted up any more need not come up first, and power that shall be cut is not waited for.
    const isStartInVain = vm.state === "STARTING" && vm.spec.wanted === "stopped";
    const isStopTooGentle = vm.command.kind === "stop" && vm.spec.wanted === "stopped" && vm.force && !vm.command.force;
    return isStartInVain || isStopTooGentle ? { kind: "stop", force: vm.force } : undefined;
  }
  if (isBackingOff(vm, nowMs)) return undefined;
  const kind = nextKind(vm);
  return kind === undefined ? undefined : { kind, force: kind === "stop" && vm.force };
}

function nextKind(vm: VmRecord): CommandKind | undefined {
  const { wanted } = vm.spec;
  switch (vm.state) {
    case "PLACED":
      return "create";
    case "STOPPED":
      // A VM that shall be suspended or paused has to run first.
      return wanted === "stopped" ? undefined : "start";
    case "RUNNING":
      if (wanted === "stopped") return "stop";
      if (wanted === "suspended") return "suspend";
      if (wanted === "paused") return "pause";
      return vm.pendingAction;
    case "SUSPENDED":
      return wanted === "suspended" ? undefined : wanted === "stopped" && vm.force ? "stop" : "resume";
    case "PAUSED":
      return wanted === "paused" ? undefined : wanted === "stopped" ? "stop" : "resume";
    case "STARTING":
      return wanted === "stopped" ? "stop" : (vm.pendingAction ?? "start");
    default:
      // On the way without a command: the one that was to bring it there has failed, and is tried again. Of one that is
      // unknown, failed or gone there is nothing to say now.
      return kindUnderWay(vm.state);
  }
}

function isBackingOff(vm: VmRecord, nowMs: number): boolean {
  return vm.retryAtMs !== undefined && vm.retryAtMs > nowMs;
}
