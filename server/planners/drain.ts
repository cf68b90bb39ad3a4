/** The drain planner: ends what is left on a host when its deadline has passed, and opens the host again once it is empty. */
import type { HostUpdate, VmWant } from "../pool/events.ts";
import type { HostRecord } from "../pool/host.ts";
import type { PoolView } from "../pool/view.ts";

export function planDrain(view: PoolView, host: HostRecord, nowMs: number): readonly (VmWant | HostUpdate)[] {
  const { drain } = host.spec;
  if (drain === undefined) return [];
  const vms = view.vmsOn(host.id);
  if (vms.size === 0) {
    if (drain.then === "stay-cordoned") return [];
    const { drain: _, ...spec } = host.spec;
    return [
      { type: "host-update", id: host.id, baseGeneration: host.generation, spec: { ...spec, schedulable: true } },
    ];
  }
  if (drain.deadlineMs === undefined || drain.deadlineMs > nowMs) return [];
  return [...vms]
    .filter((id) => view.vms.get(id)?.spec.wanted !== "deleted")
    .map((id) => ({ type: "vm-want", id, wanted: "deleted", force: true }));
}
