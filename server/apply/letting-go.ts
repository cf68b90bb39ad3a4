/**
 * A VM and its host part: the host is lost, or could not make the VM. What is left there is fenced by the attempt in its name,
 * and becomes an orphan, so that the VM can be made anew elsewhere without there ever being two of it.
 */

import { retryDelayMs } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmFailure, VmRecord } from "../pool/vm.ts";
import { isStillBeingMade } from "../pool/vm-machine.ts";
import { changeVm, failVm, moveVm, releasedHost } from "./change-vm.ts";
import { leaveBehind } from "./orphans.ts";

/** Does what the VM's policy says about a host that is lost. */
export function partFromLostHost(pool: Pool, vm: VmRecord, timeMs: number): void {
  const policy = vm.spec.onHostLost;
  if (policy === undefined || vm.state !== "UNKNOWN" || vm.spec.wanted === "deleted") return;
  const failure = {
    reason: "HostLost",
    message: `hosts/${vm.host} has not been heard for too long; what is left of the VM there is removed when it returns`,
    suspect: "host",
  } as const;
  if (policy === "replace" && canBeMadeElsewhere(vm)) placeAnew(pool, vm, failure, timeMs);
  else {
    failVm(pool, vm, timeMs, { ...failure, releasesHost: true });
    leaveBehind(pool, vm, timeMs);
  }
}

/** Has the VM placed on another host if its spec allows one more try; false if it does not. */
export function retryElsewhere(
  pool: Pool,
  vm: VmRecord,
  failure: Pick<VmFailure, "reason" | "message" | "suspect">,
  timeMs: number,
): boolean {
  const retriesUsed = vm.retriesUsed ?? 0;
  const isWanted = vm.spec.wanted !== "deleted" && vm.host !== undefined;
  if (!isWanted || retriesUsed >= (vm.spec.retryAttempts ?? 0)) return false;
  // What is asked for is wrong on every host, and a guest that has run has a disk that somebody may miss.
  if (failure.suspect === "request" || !isStillBeingMade(vm) || !canBeMadeElsewhere(vm)) return false;
  placeAnew(pool, changeVm(pool, vm, timeMs, { retriesUsed: retriesUsed + 1 }), failure, timeMs);
  return true;
}

function placeAnew(
  pool: Pool,
  vm: VmRecord,
  failure: Pick<VmFailure, "reason" | "message" | "suspect">,
  timeMs: number,
): void {
  const { reason, message, suspect } = failure;
  moveVm(pool, vm, "displaced", {
    timeMs,
    reason,
    message,
    fields: {
      ...releasedHost,
      command: undefined,
      progress: undefined,
      pendingAction: undefined,
      failure: { reason, message, suspect, timeMs, ...(vm.host === undefined ? {} : { host: vm.host }) },
      retryCount: 0,
      retryAtMs: timeMs + retryDelayMs(0),
    },
  });
  leaveBehind(pool, vm, timeMs);
}

/** A copy can be made only where its original stands, and what was adopted cannot be made at all. */
export function canBeMadeElsewhere({ image: { source } }: VmRecord): boolean {
  return source.kind !== "clone" && source.kind !== "adopted";
}
