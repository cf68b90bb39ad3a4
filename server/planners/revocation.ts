/**
 * The revocation planner: has VMs of a revoked template, or of a version that its catalog revoked, end, or stopped, wherever they
 * come from: a batch that was too small for all that waited, a host that is lost, a retry.
 */
import type { VmRevoked } from "../pool/events/decisions.ts";
import { revocationOf } from "../pool/template-standing.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";

export function planRevocation(view: Pick<PoolView, "templates" | "catalogs">, vm: VmRecord): VmRevoked | undefined {
  return revocationOf(view, vm) === undefined ? undefined : { type: "vm-revoked", id: vm.id };
}
