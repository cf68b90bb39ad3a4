/** Others give way to a VM that waits: what it is promised, what they are told, and how they end. */
import { candidateOf } from "../placement/filters.ts";
import { quotaRefusal } from "../placement/quota.ts";
import { couldTake } from "../placement/reserve.ts";
import type { VmPreempting, VmSpared } from "../pool/events/decisions.ts";
import { describeEnd } from "../pool/lease.ts";
import type { Pool } from "../pool/pool.ts";
import { canGiveWay, isNoticeNeeded, isPromised } from "../pool/preemption.ts";
import { shapeOf } from "../pool/shape.ts";
import type { VmFailure, VmRecord } from "../pool/vm.ts";
import { changeVm, moveVm, releasedHost, type VmFields } from "./change-vm.ts";
import { expireVm } from "./expiry.ts";
import { canBeMadeElsewhere } from "./letting-go.ts";

/** Promises the room to the VM and gives the others notice, all in one batch. */
export function applyVmPreempting(pool: Pool, event: VmPreempting, timeMs: number): boolean {
  const vm = pool.vms.get(event.id);
  const host = pool.hosts.get(event.host);
  const { preemption } = pool.settings;
  if (vm === undefined || host === undefined || !preemption.enabled) return false;
  if (!pool.waiting.has(vm.id) || isPromised(vm)) return false;
  const keptFor = pool.reservations.get(host.id);
  if (keptFor !== undefined && keptFor !== vm.id) return false;
  const shape = shapeOf(vm);
  if (quotaRefusal(pool, vm.spec.project, shape) !== undefined || !couldTake(candidateOf(pool, host), shape))
    return false;
  const victims = event.victims.flatMap((id) => pool.vms.get(id) ?? []);
  const mayBeTold = (victim: VmRecord): boolean =>
    victim.host === host.id && canGiveWay(victim) && victim.spec.priority < vm.spec.priority;
  if (victims.length < event.victims.length || !victims.every(mayBeTold)) return false;
  const noticeEndMs = timeMs + preemption.noticeMs;
  changeVm(pool, vm, timeMs, { reservation: { host: host.id, sinceMs: timeMs, noticeEndMs } });
  for (const victim of victims) {
    const notice = { vm: vm.id, uid: vm.uid, sinceMs: timeMs, endMs: noticeEndMs };
    changeVm(pool, victim, timeMs, { notice });
  }
  return true;
}

/** It need not give way any more. */
export function applyVmSpared(pool: Pool, event: VmSpared, timeMs: number): boolean {
  const vm = pool.vms.get(event.id);
  if (vm?.notice === undefined || vm.notice.isOver === true || vm.host !== event.host) return false;
  changeVm(pool, vm, timeMs, { notice: undefined });
  return true;
}

/**
 * The notice has run: the VM is removed from its host, its power cut. It waits for another if its spec allows it to be tried
 * again, which uses up none of its tries, and is deleted otherwise.
 */
export function endNotice(pool: Pool, vm: VmRecord, timeMs: number): void {
  if (vm.notice === undefined || !isNoticeNeeded(pool, vm)) {
    changeVm(pool, vm, timeMs, { notice: undefined });
    return;
  }
  const told = changeVm(pool, vm, timeMs, { notice: { ...vm.notice, isOver: true } });
  // Whoever wanted it deleted has it already, and said how.
  if (vm.spec.wanted === "deleted") return;
  const failure: VmFailure = {
    reason: "Preempted",
    message: `it gave way to vms/${vm.notice.vm}, which is more urgent`,
    suspect: "none",
    timeMs,
    ...(vm.host === undefined ? {} : { host: vm.host }),
  };
  if (!waitsAnew(vm)) {
    expireVm(pool, changeVm(pool, told, timeMs, { failure }), { reason: "Preempted", atMs: timeMs }, timeMs);
    return;
  }
  const fields: VmFields = { failure, force: true, pendingAction: undefined, retryCount: 0, retryAtMs: undefined };
  changeVm(pool, told, timeMs, fields);
}

/** What gave way is gone from its host, and waits for another. */
export function queueAnew(pool: Pool, vm: VmRecord, timeMs: number): VmRecord {
  return moveVm(pool, vm, "displaced", {
    timeMs,
    reason: "Preempted",
    message: describeEnd("Preempted"),
    fields: {
      ...releasedHost,
      command: undefined,
      progress: undefined,
      pendingAction: undefined,
      force: false,
      retryCount: 0,
      retryAtMs: undefined,
    },
  });
}

function waitsAnew(vm: VmRecord): boolean {
  const isAllowed = (vm.retriesUsed ?? 0) < (vm.spec.retryAttempts ?? 0);
  return isAllowed && vm.state !== "FAILED" && canBeMadeElsewhere(vm);
}
