/**
 * The reservation planner: has room build up on a host for a VM that smaller ones would keep out for ever, and looks after the
 * room that is kept.
 */
import type { HostId } from "../../shared/ids.ts";
import { candidateOf, refusalOn } from "../placement/filters.ts";
import { quotaRefusal } from "../placement/quota.ts";
import { couldTake, hostToReserve } from "../placement/reserve.ts";
import type { VmPlaced, VmReserved, VmSpared } from "../pool/events/decisions.ts";
import { isLaneBefore, type Lane } from "../pool/lane.ts";
import type { Pool } from "../pool/pool.ts";
import { isPromised } from "../pool/preemption.ts";
import { reservationOf } from "../pool/reservation.ts";
import { shapeOf } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import type { ShapeGroup } from "../pool/waiting-queue.ts";
import { planPromise } from "./preemption.ts";

/** What becomes of kept room on which something has changed: the VM is placed, or it is given back, or it is kept. */
export function planKeptRoom(pool: Pool): VmPlaced | VmReserved | VmSpared | undefined {
  for (const host of pool.movedReservations) {
    pool.movedReservations.delete(host);
    const id = pool.reservations.get(host);
    const vm = id === undefined ? undefined : pool.vms.get(id);
    if (vm === undefined) continue;
    const decision = isPromised(vm) ? planPromise(pool, vm, host) : decideOn(pool, vm, host);
    if (decision !== undefined) return decision;
  }
  return undefined;
}

/** Room for the first VM of a shape that has been passed over by smaller ones for long enough, if a host can be found. */
export function planNewRoom(pool: Pool, nowMs: number): VmReserved | undefined {
  const { queue } = pool;
  for (let group = queue.takePassedOver(nowMs); group !== undefined; group = queue.takePassedOver(nowMs)) {
    if (pool.reservations.size >= reservationsMax(pool)) continue;
    const first = firstOf(pool, group, nowMs);
    const host = first === undefined ? undefined : hostToReserve(pool, group.shape, nowMs);
    if (first !== undefined && host !== undefined) return { type: "vm-reserved", id: first.id, host };
  }
  return undefined;
}

/** How many hosts may keep room at a time: a share of all, and one at least. */
export function reservationsMax({ hosts, settings }: PoolView): number {
  const { reservedShare } = settings.queue;
  return reservedShare === 0 ? 0 : Math.max(1, Math.floor(hosts.size * reservedShare));
}

function decideOn(pool: Pool, vm: VmRecord, id: HostId): VmPlaced | VmReserved | undefined {
  const release: VmReserved = { type: "vm-reserved", id: vm.id };
  const shape = shapeOf(vm);
  const host = pool.hosts.get(id);
  if (host === undefined || quotaRefusal(pool, vm.spec.project, shape) !== undefined) return release;
  // One that came to its lane since then may be more urgent. (One that waits for its retry is in no lane.)
  const first = pool.queue.lane(vm.id)?.first;
  if (first !== undefined && refusalOn(pool, id, shape) === undefined) {
    return { type: "vm-placed", id: first.id, host: id };
  }
  // A host between two sessions comes back in a moment.
  const candidate = candidateOf(pool, host);
  const isAway = host.state === "READY" && candidate.contact?.isConnected !== true;
  return isAway || couldTake(candidate, shape) ? undefined : release;
}

/**
 * The VM of the shape that is to have the room: of the project that holds least, as everywhere. Nothing if none of them has
 * waited long enough itself, or one has room kept already.
 */
function firstOf(pool: Pool, group: ShapeGroup, nowMs: number): VmRecord | undefined {
  let best: { readonly lane: Lane; readonly share: number; readonly vm: VmRecord } | undefined;
  for (const lane of group.lanes.values()) {
    const vm = lane.first && pool.vms.get(lane.first.id);
    if (reservationOf(vm) !== undefined) return undefined;
    if (vm === undefined || nowMs - vm.createTimeMs < pool.settings.queue.reserveAfterMs) continue;
    if (quotaRefusal(pool, lane.project, group.shape) !== undefined) continue;
    const share = pool.shareOf(lane.project);
    const isBetter =
      best === undefined || share < best.share || (share === best.share && isLaneBefore(lane, best.lane));
    if (isBetter) best = { lane, share, vm };
  }
  return best?.vm;
}
