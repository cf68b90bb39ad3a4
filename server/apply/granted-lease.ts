/** Which lease a VM gets: what is asked for, within what the settings allow. Throws FIELD_INVALID. */
import { fieldInvalid } from "../../shared/errors.ts";
import type { VmSettings } from "../pool/settings/vms.ts";
import type { VmSpec } from "../pool/vm.ts";

const field = "spec.lease_duration";

/** A new VM's spec with its lease: asked for, or the settings' own. 0 asks for none, whatever the default is. */
export function withGrantedLease(spec: VmSpec, settings: VmSettings): VmSpec {
  const { leaseDurationMs: asked = settings.defaultLeaseMs, ...others } = spec;
  const leaseDurationMs = grantedLeaseMs(asked, settings);
  return leaseDurationMs === undefined ? others : { ...others, leaseDurationMs };
}

/** @param askedMs absent or 0: none. */
export function grantedLeaseMs(askedMs: number | undefined, settings: VmSettings): number | undefined {
  if (askedMs === undefined || askedMs === 0) {
    if (settings.withoutLease === "anyone") return undefined;
    throw fieldInvalid(field, "must be set: the settings of this pool allow no VM without a lease (vms.without_lease)");
  }
  return boundedLeaseMs(askedMs, settings);
}

export function boundedLeaseMs(askedMs: number, { maximumLeaseMs }: VmSettings): number {
  if (askedMs <= maximumLeaseMs) return askedMs;
  const bound = `${maximumLeaseMs / 1000} s`;
  throw fieldInvalid(field, `must be at most ${bound}, the longest lease in this pool (vms.maximum_lease)`);
}
