/**
 * The lifecycle planner: what a VM's host has to be told next, given what is wanted of it and what is so. It is
 * level-triggered: it looks at the VM as it is, never at what has just happened, and proposes at most one step.
 */
import type { VmCommanded } from "../pool/events.ts";
import type { CommandKind, VmRecord } from "../pool/vm.ts";

/** The VM's next command, or nothing if there is none now. */
export function planVmStep(vm: VmRecord, nowMs: number): VmCommanded | undefined {
  if (vm.host === undefined) return undefined;
  const step = vm.spec.wanted === "deleted" ? planDeletion(vm, nowMs) : planWanted(vm, nowMs);
  return step === undefined ? undefined : { type: "vm-commanded", id: vm.id, ...step };
}

interface PlannedStep {
  readonly kind: CommandKind;
  readonly force: boolean;
}

/** Deleting does not wait for other commands to end: it takes their place. It is tried again for ever. */
function planDeletion(vm: VmRecord, nowMs: number): PlannedStep | undefined {
  if (vm.command?.kind === "delete" || isBackingOff(vm, nowMs) || vm.state === "DELETED") return undefined;
  return { kind: "delete", force: vm.force };
}

function planWanted(vm: VmRecord, nowMs: number): PlannedStep | undefined {
  if (vm.command !== undefined) {
    // A VM that is not wanted up any more need not come up first.
    const isStartInVain = vm.state === "STARTING" && vm.spec.wanted === "stopped";
    return isStartInVain ? { kind: "stop", force: vm.force } : undefined;
  }
  if (isBackingOff(vm, nowMs)) return undefined;
  const kind = nextKind(vm);
  return kind === undefined ? undefined : { kind, force: kind === "stop" && vm.force };
}

function nextKind(vm: VmRecord): CommandKind | undefined {
  const { wanted } = vm.spec;
  switch (vm.state) {
    case "PLACED":
    case "CREATING":
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
    default:
      // On the way, unknown, failed or gone: nothing to say now.
      return undefined;
  }
}

function isBackingOff(vm: VmRecord, nowMs: number): boolean {
  return vm.retryAtMs !== undefined && vm.retryAtMs > nowMs;
}
