/**
 * Where room is to build up for a VM that fits on no host as they are filled, and would fit on one that was empty: where it
 * will probably fit soonest. A pure function of the pool.
 */
import type { HostId } from "../../shared/ids.ts";
import type { Shape } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import { type Candidate, candidateOf, refusingFilter } from "./filters.ts";
import { fitsInMs, isPassing } from "./room.ts";
import { stayOf } from "./wait-estimate.ts";

/** A host on which room could build up, and what speaks for it. */
interface Prospect {
  readonly host: HostId;
  /** When the VM will probably fit; infinite if too little is known of those that stand there. */
  readonly inMs: number;
  readonly vms: number;
  readonly cpuCapacity: number;
}

/** The host, or nothing if there is none. */
export function hostToReserve(view: PoolView, shape: Shape, nowMs: number): HostId | undefined {
  let best: Prospect | undefined;
  for (const host of view.hosts.values()) {
    const candidate = candidateOf(view, host);
    if (candidate.ledger.reservation !== undefined || !couldTake(candidate, shape)) continue;
    const inMs = fitsInMs(view, candidate, { shape, stayMs: (vm) => stayMs(view, vm, nowMs) });
    const { vmCount, cpuCapacity } = candidate.ledger;
    const prospect = { host: host.id, inMs: inMs ?? Number.POSITIVE_INFINITY, vms: vmCount, cpuCapacity };
    if (best === undefined || isBetter(prospect, best)) best = prospect;
  }
  return best?.host;
}

/** Whether the host, as it is, would take the VM if all VMs of the pool there were gone. */
export function couldTake(candidate: Candidate, shape: Shape): boolean {
  const refusal = refusingFilter(candidate, shape);
  return (refusal === undefined || isPassing(refusal.name)) && candidate.ledger.couldHold(shape);
}

function stayMs(view: PoolView, vm: VmRecord, nowMs: number): number | undefined {
  return stayOf(view, vm, { nowMs, quantile: 0.5 });
}

/** By when it fits, then the fewest VMs to wait for, then the largest, then by id. */
function isBetter(a: Prospect, b: Prospect): boolean {
  if (a.inMs !== b.inMs) return a.inMs < b.inMs;
  if (a.vms !== b.vms) return a.vms < b.vms;
  return a.cpuCapacity === b.cpuCapacity ? a.host < b.host : a.cpuCapacity > b.cpuCapacity;
}
