/** The end of a VM whose lease or lifetime is over: it is deleted, as if somebody had asked for it. */
import { describeEnd, type Expiry } from "../pool/lease.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import { changeVm, moveVm } from "./change-vm.ts";

/** Wants the VM deleted, its power cut; one that has no host is gone at once. */
export function expireVm(pool: Pool, vm: VmRecord, { reason }: Expiry, timeMs: number): VmRecord {
  const fields = {
    spec: { ...vm.spec, wanted: "deleted" as const },
    generation: vm.generation + 1,
    force: true,
    endReason: reason,
    pendingAction: undefined,
    retryCount: 0,
    retryAtMs: undefined,
  };
  if (vm.host !== undefined) return changeVm(pool, vm, timeMs, fields);
  return moveVm(pool, vm, "dropped", { timeMs, reason, message: describeEnd(reason), fields });
}
