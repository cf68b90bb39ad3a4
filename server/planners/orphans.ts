/** The orphan planner: has what nobody owns removed from a host when its time has come, a few at a time. */
import type { OrphanRemove } from "../pool/events/decisions.ts";
import type { HostRecord } from "../pool/host.ts";
import { removalsPerHostMax } from "../pool/limits.ts";

export function planRemovals({ id, orphans }: HostRecord, nowMs: number): readonly OrphanRemove[] {
  const underWay = orphans.filter(({ commandId }) => commandId !== undefined).length;
  return orphans
    .filter(({ commandId, removeAtMs }) => commandId === undefined && removeAtMs <= nowMs)
    .slice(0, Math.max(0, removalsPerHostMax - underWay))
    .map((orphan) => ({ type: "orphan-remove", host: id, hostVmId: orphan.id }));
}
