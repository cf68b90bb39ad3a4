/**
 * Until when a VM may live. A lease counts from the VM's placement and begins anew when it is renewed; a lifetime counts from
 * the VM's creation and is never extended. At the first of the two ends the VM is deleted. Its host is told as well, with a
 * margin, and ends it by itself when the server cannot.
 */
import { assertNever } from "../../shared/assert.ts";
import { leaseMarginMs } from "./limits.ts";
import type { EndReason, VmRecord } from "./vm.ts";

export interface Expiry {
  readonly atMs: number;
  readonly reason: EndReason;
}

/** When and why the VM expires; nothing if it lives until somebody deletes it. */
export function expiryOf(vm: VmRecord): Expiry | undefined {
  const { maxLifetimeMs } = vm.spec;
  const lifeEndMs = maxLifetimeMs === undefined ? undefined : vm.createTimeMs + maxLifetimeMs;
  if (vm.leaseEndMs !== undefined && (lifeEndMs === undefined || vm.leaseEndMs < lifeEndMs)) {
    return { atMs: vm.leaseEndMs, reason: "LeaseExpired" };
  }
  return lifeEndMs === undefined ? undefined : { atMs: lifeEndMs, reason: "LifetimeOver" };
}

/** The expiry that the server still has to act on: nothing for a VM that is being deleted, or that has failed. */
export function pendingExpiry(vm: VmRecord): Expiry | undefined {
  return vm.spec.wanted === "deleted" || vm.state === "FAILED" ? undefined : expiryOf(vm);
}

/** When a lease that begins now ends; nothing without a lease. */
export function leaseEndFrom(leaseDurationMs: number | undefined, timeMs: number): number | undefined {
  return leaseDurationMs === undefined ? undefined : timeMs + leaseDurationMs;
}

/** How long the VM's host may let it live from now on, in ms: a little longer than the server does; 0 is without a bound. */
export function hostLeaseMs(vm: VmRecord, nowMs: number): number {
  const expiry = expiryOf(vm);
  return expiry === undefined ? 0 : Math.max(1, Math.ceil(expiry.atMs - nowMs) + leaseMarginMs);
}

/** Why a VM ended that nobody asked to end, as a sentence. */
export function describeEnd(reason: EndReason): string {
  switch (reason) {
    case "LeaseExpired":
      return "its lease ran out and was not renewed";
    case "LifetimeOver":
      return "its lifetime is over";
    case "TemplateRevoked":
      return "its template was revoked before it had come up";
    case "Preempted":
      return "it gave way to a VM that is more urgent";
    default:
      return assertNever(reason, "end of a VM");
  }
}
