/** The planners' decisions, checked again against the pool as it is now. One that no longer holds changes nothing. */

import { refusalOn } from "../placement/filters.ts";
import { quotaRefusal } from "../placement/quota.ts";
import type { HostProbed, VmCommanded, VmPlaced } from "../pool/events/decisions.ts";
import { describeEnd, leaseEndFrom } from "../pool/lease.ts";
import type { Pool } from "../pool/pool.ts";
import { isToWaitAnew } from "../pool/preemption.ts";
import { shapeOf } from "../pool/shape.ts";
import type { CommandKind, VmCommand, VmRecord } from "../pool/vm.ts";
import { sentTrigger, vmMoves } from "../pool/vm-machine.ts";
import { beginProbe, dropProbe, endQuarantine } from "./blame.ts";
import { changeVm, moveVm, stateDeadlineMs, type VmFields } from "./change-vm.ts";
import { commandIdOf } from "./command.ts";

/** Reserves the host's capacity and gives the VM its first command, in one batch. */
export function applyVmPlaced(pool: Pool, event: VmPlaced, timeMs: number): boolean {
  const vm = pool.vms.get(event.id);
  if (vm === undefined || !pool.waiting.has(vm.id)) return false;
  const shape = shapeOf(vm);
  if (refusalOn(pool, event.host, shape) !== undefined) return false;
  if (quotaRefusal(pool, vm.spec.project, shape, vm) !== undefined) return false;
  moveVm(pool, vm, "placed", {
    timeMs,
    reason: "Placed",
    fields: {
      host: event.host,
      attempt: vm.attempt + 1,
      sight: undefined,
      reservation: undefined,
      leaseEndMs: leaseEndFrom(vm.spec.leaseDurationMs, timeMs),
      ...commandFields(vm, "create", false),
    },
  });
  beginProbe(pool, event.host, vm.uid, timeMs);
  return true;
}

export function applyVmCommanded(pool: Pool, event: VmCommanded, timeMs: number): boolean {
  const vm = pool.vms.get(event.id);
  if (vm?.host === undefined) return false;
  const fields: VmFields = {
    ...commandFields(vm, event.kind, event.force),
    pendingAction: undefined,
    progress: undefined,
    retryAtMs: undefined,
  };
  if (event.kind === "create") {
    // Its state says already that it is being made.
    changeVm(pool, vm, timeMs, { ...fields, deadlineMs: stateDeadlineMs(vm, vm.state, timeMs) });
    return true;
  }
  const trigger = sentTrigger(event.kind);
  const move = vmMoves[vm.state][trigger];
  if (move === "impossible") return false;
  const endReason = isToWaitAnew(vm) ? "Preempted" : vm.endReason;
  // Told again: it has as long as it had the first time.
  if (move === "ignored") changeVm(pool, vm, timeMs, { ...fields, deadlineMs: stateDeadlineMs(vm, vm.state, timeMs) });
  else if (endReason !== undefined) {
    moveVm(pool, vm, trigger, { timeMs, reason: endReason, message: describeEnd(endReason), fields });
  } else moveVm(pool, vm, trigger, { timeMs, reason: sentReason(event.kind), fields });
  return true;
}

export function applyHostProbed(pool: Pool, { id, vm, hasPassed }: HostProbed, timeMs: number): boolean {
  const host = pool.hosts.get(id);
  if (host?.trouble?.quarantine?.probe !== vm) return false;
  if (hasPassed) endQuarantine(pool, host, timeMs);
  else dropProbe(pool, host, timeMs);
  return true;
}

function commandFields(vm: VmRecord, kind: CommandKind, force: boolean): VmFields {
  const commandCount = vm.commandCount + 1;
  const command: VmCommand = {
    id: commandIdOf(vm.uid, commandCount),
    kind,
    state: "SENT",
    force,
    generation: vm.generation,
  };
  return { command, commandCount, observedGeneration: vm.generation };
}

function sentReason(kind: CommandKind): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}Sent`;
}
