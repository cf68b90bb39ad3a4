/** The record of a host that the pool has not known: one that enrols, or, where hosts need no certificate, that connects. */
import type { HostId, Uid } from "../../shared/ids.ts";
import type { HostRecord, HostSpec } from "../pool/host.ts";
import type { Pool } from "../pool/pool.ts";

/** What a host is given when it is first seen. */
export const initialHostSpec: HostSpec = {
  schedulable: true,
  labels: {},
  reserved: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
  limits: { macosSlots: 2, parallelCreates: 4, cpuOvercommit: 1, memoryOvercommit: 1, diskOvercommit: 1 },
};

export function newHost(
  pool: Pool,
  { id, uid, labels }: { readonly id: HostId; readonly uid: Uid; readonly labels: HostSpec["labels"] },
  timeMs: number,
): HostRecord {
  return {
    id,
    uid,
    spec: { ...initialHostSpec, labels },
    generation: 1,
    createTimeMs: timeMs,
    updateTimeMs: timeMs,
    revision: 0,
    state: "ENROLLED",
    stateSinceMs: timeMs,
    // Epochs of an earlier record of this host, removed or lost with the time between a backup and its restore, were lower:
    // each of its sessions was a change, and the revision counts those too, and jumps at a restore.
    epoch: pool.nextRevision - 1,
    agentLabels: {},
    conditions: [],
    images: [],
    foreignVms: [],
    orphans: [],
    removalCount: 0,
  };
}
