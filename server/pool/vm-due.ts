/** When a VM has to be looked at again though nothing happens to it. */
import { pendingExpiry } from "./lease.ts";
import type { PoolSettings } from "./settings/settings.ts";
import type { VmRecord } from "./vm.ts";

/** When the VM is next due, if ever: its deadline, its next try, the end of its lease. */
export function vmDueMs(vm: VmRecord, settings: PoolSettings): number | undefined {
  const never = Number.POSITIVE_INFINITY;
  const endMs = stateEndMs(vm, settings);
  const dueMs = Math.min(endMs ?? never, vm.retryAtMs ?? never, pendingExpiry(vm)?.atMs ?? never);
  return dueMs === never ? undefined : dueMs;
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
