/**
 * Preemption, as records tell of it. The VM that waits has room kept for it on one host, with the time at which the notices end;
 * each VM that gives way has a notice. Both are written in one batch, and the notices count as long as the room is kept.
 */
import type { Uid, VmId } from "../../shared/ids.ts";
import type { PoolView } from "./view.ts";
import type { VmRecord } from "./vm.ts";

/** What a VM is told that gives way. */
export interface PreemptionNotice {
  /** The VM that it gives way to, and its uid: another may have the name later. */
  readonly vm: VmId;
  readonly uid: Uid;
  readonly sinceMs: number;
  /** When the VM is ended. */
  readonly endMs: number;
  /** The time has come: it is being removed from its host, whatever becomes of the other. */
  readonly isOver?: true;
}

/** Whether it may be ended for the sake of others, and nothing has ended it yet. */
export function canGiveWay({ spec, host, state, notice }: VmRecord): boolean {
  return (
    spec.preemptible === true &&
    host !== undefined &&
    notice === undefined &&
    spec.wanted !== "deleted" &&
    // Of one that has failed somebody may want to see why; it goes by itself.
    state !== "FAILED"
  );
}

/** Whether what the VM holds on its host is coming free: it has notice, or is being deleted without trouble. */
export function isLeaving({ host, notice, spec, retryCount }: VmRecord): boolean {
  return host !== undefined && (notice !== undefined || (spec.wanted === "deleted" && retryCount === 0));
}

/** Whether others give way for the VM, which waits: what it needs is promised to it. */
export function isPromised({ state, spec, reservation }: VmRecord): boolean {
  return state === "PENDING" && spec.wanted !== "deleted" && reservation?.noticeEndMs !== undefined;
}

/** Whether it is removed from its host by preemption, to wait for another. */
export function isToWaitAnew({ notice, spec, state }: VmRecord): boolean {
  return notice?.isOver === true && spec.wanted !== "deleted" && state !== "FAILED";
}

/** Whether a VM that has notice still has to give way: the other waits, for room on this host, and is more urgent. */
export function isNoticeNeeded({ vms, settings }: Pick<PoolView, "vms" | "settings">, vm: VmRecord): boolean {
  const other = vm.notice && vms.get(vm.notice.vm);
  if (other === undefined || other.uid !== vm.notice?.uid || !settings.preemption.enabled) return false;
  return (
    isPromised(other) &&
    other.reservation?.host === vm.host &&
    vm.spec.preemptible === true &&
    vm.spec.priority < other.spec.priority
  );
}

/** What a VM that gives way is told, as a sentence without a subject. */
export function describeNotice({ vm, sinceMs, endMs, isOver }: PreemptionNotice): string {
  return isOver === true
    ? `gave way to vms/${vm}, which is more urgent`
    : `gives way to vms/${vm}, which is more urgent: it is ended ${(endMs - sinceMs) / 1000} s after this notice`;
}
