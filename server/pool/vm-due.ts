/** When a VM has to be looked at again though nothing happens to it. */
import { pendingExpiry } from "./lease.ts";
import { promisedRoomMaxMs } from "./limits.ts";
import { reservationOf } from "./reservation.ts";
import type { PoolSettings } from "./settings/settings.ts";
import type { VmRecord } from "./vm.ts";

/** When the VM is next due, if ever: its deadline, its next try, the end of its lease or of its notice. */
export function vmDueMs(vm: VmRecord, settings: PoolSettings): number | undefined {
  const never = Number.POSITIVE_INFINITY;
  const endMs = stateEndMs(vm, settings);
  const keptMs = reservationEndMs(vm, settings) ?? never;
  const noticeMs = noticeEndMs(vm) ?? never;
  const dueMs = Math.min(endMs ?? never, vm.retryAtMs ?? never, pendingExpiry(vm)?.atMs ?? never, keptMs, noticeMs);
  return dueMs === never ? undefined : dueMs;
}

/** When room that is kept for the VM is given back, if any is. */
export function reservationEndMs(vm: VmRecord, { queue }: PoolSettings): number | undefined {
  const reservation = reservationOf(vm);
  if (reservation?.noticeEndMs !== undefined) return reservation.noticeEndMs + promisedRoomMaxMs;
  return reservation && reservation.sinceMs + queue.reservationMaxMs;
}

/** When the VM is ended to give way, if it has notice that is not over. */
export function noticeEndMs({ notice }: VmRecord): number | undefined {
  return notice?.isOver === true ? undefined : notice?.endMs;
}

/**
 * When the VM's state ends by itself, if it does. How long what has ended is kept is a setting, which may change while it is
 * kept: it is no part of the record.
 */
export function stateEndMs(vm: VmRecord, { vms }: PoolSettings): number | undefined {
  if (vm.state === "DELETED") return vm.stateSinceMs + vms.deletedRetentionMs;
  if (vm.state !== "FAILED") return vm.deadlineMs;
  return vm.spec.wanted === "deleted" ? undefined : vm.stateSinceMs + vms.failedRetentionMs;
}
