/**
 * The drain planner: ends what is left on a host when its deadline has passed, and opens the host again once it is empty. What
 * nobody works in at the moment goes first, then what is preemptible, then what was asked for with the least priority: its host
 * has only so many hands.
 */
import type { HostUpdate } from "../pool/events/hosts.ts";
import type { VmWant } from "../pool/events/vms.ts";
import type { HostRecord } from "../pool/host.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";

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
    .flatMap((id) => view.vms.get(id) ?? [])
    .filter(({ spec }) => spec.wanted !== "deleted")
    .sort((a, b) => (goesBefore(a, b) ? -1 : 1))
    .map(({ id }) => ({ type: "vm-want", id, wanted: "deleted", force: true }));
}

function goesBefore(a: VmRecord, b: VmRecord): boolean {
  if (isInUse(a) !== isInUse(b)) return !isInUse(a);
  if (a.spec.preemptible !== b.spec.preemptible) return a.spec.preemptible === true;
  if (a.spec.priority !== b.spec.priority) return a.spec.priority < b.spec.priority;
  // Of two that are alike, the younger has less to lose.
  if (a.createTimeMs !== b.createTimeMs) return a.createTimeMs > b.createTimeMs;
  return a.id < b.id;
}

/** Whether somebody may work in it: it has come up, and does not rest. */
function isInUse({ state }: VmRecord): boolean {
  return state === "RUNNING" || state === "UNKNOWN";
}
