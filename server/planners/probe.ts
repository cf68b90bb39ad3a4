/**
 * The probe planner: looks at what has become of the VM that a host in quarantine is tried with. A VM that fails there, or comes
 * up, is judged where that happens; this is about those that do neither.
 */
import type { HostProbed } from "../pool/events/decisions.ts";
import type { HostRecord } from "../pool/host.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";

export function planProbe(view: PoolView, { id, trouble }: HostRecord): readonly HostProbed[] {
  const probe = trouble?.quarantine?.probe;
  if (probe === undefined) return [];
  const vm = view.findVmByUid(probe);
  const isThere = vm !== undefined && vm.host === id;
  const outcome = isThere ? outcomeOf(vm) : "void";
  return outcome === undefined ? [] : [{ type: "host-probed", id, vm: probe, hasPassed: outcome === "passed" }];
}

function outcomeOf({ state, spec }: VmRecord): "passed" | "void" | undefined {
  switch (state) {
    case "FAILED":
    case "DELETING":
    case "DELETED":
      return "void";
    case "STOPPED":
      // One that is not to run has shown all that it will.
      return spec.wanted === "stopped" ? "passed" : undefined;
    case "PENDING":
    case "PLACED":
    case "CREATING":
    case "STARTING":
    case "STOPPING":
    case "UNKNOWN":
      return undefined;
    default:
      return "passed";
  }
}
