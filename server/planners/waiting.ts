/**
 * The placement planner: takes the first of the VMs that may have a host now and proposes one for it. A shape that fits
 * nowhere is parked with all its VMs, and looked at again only on hosts that have changed. What a quota holds back is taken out
 * until its project has more room.
 */
import type { HostId } from "../../shared/ids.ts";
import { candidateOf, refusingFilter } from "../placement/filters.ts";
import { chooseHost } from "../placement/place.ts";
import { quotaRefusal } from "../placement/quota.ts";
import { HostRankings } from "../placement/rankings.ts";
import type { VmPlaced, VmPreempting, VmReserved, VmSpared } from "../pool/events/decisions.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Lane } from "../pool/lane.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import type { ShapeGroup } from "../pool/waiting-queue.ts";
import { planPreemption } from "./preemption.ts";
import { planKeptRoom, planNewRoom } from "./reservations.ts";

export class PlacementPlanner {
  private readonly pool: Pool;
  private readonly rankings: HostRankings;

  constructor(pool: Pool) {
    this.pool = pool;
    this.rankings = new HostRankings(pool);
  }

  /** The next decision, or nothing: a host for a VM, or room that is kept for one, or given back; or who gives way for it. */
  next(nowMs: number): VmPlaced | VmReserved | VmPreempting | VmSpared | undefined {
    this.takeMoves();
    // Kept room first: what builds up there is for nobody else.
    const placement = planKeptRoom(this.pool) ?? this.nextPlacement(nowMs);
    return placement ?? planNewRoom(this.pool, nowMs) ?? planPreemption(this.pool, nowMs);
  }

  /** The next placement, or nothing if no waiting VM fits anywhere now. Parks what it finds to fit nowhere. */
  private nextPlacement(nowMs: number): VmPlaced | undefined {
    for (;;) {
      const lane = this.pool.queue.next(nowMs, (project) => this.pool.shareOf(project));
      if (lane === undefined) return undefined;
      const placement = this.placementOf(lane);
      if (placement === undefined) continue;
      // How high a priority must have grown is said by a VM that can be placed, not by one that fits nowhere.
      const urgent = this.pool.queue.mostUrgent();
      if (urgent === undefined || urgent.topPriority <= lane.topPriority || this.placementOf(urgent) !== undefined) {
        return placement;
      }
    }
  }

  /** A host for the first VM of the lane; if there is none, the lane is taken out of the queue until something changes. */
  private placementOf(lane: Lane): VmPlaced | undefined {
    const { queue, vms } = this.pool;
    const { shape } = lane.group;
    const vm = lane.first === undefined ? undefined : vms.get(lane.first.id);
    if (vm !== undefined && quotaRefusal(this.pool, lane.project, shape, vm) !== undefined) {
      queue.holdBack(lane);
      return undefined;
    }
    const host = vm === undefined ? undefined : this.hostFor(vm, lane.group);
    if (vm !== undefined && host !== undefined) return { type: "vm-placed", id: vm.id, host };
    queue.park(lane.group);
    return undefined;
  }

  private takeMoves(): void {
    for (const host of this.pool.movedHosts) this.rankings.noteMoved(host);
    this.pool.movedHosts.clear();
    for (const host of this.known(this.pool.wokenHosts)) {
      this.pool.queue.wake(host.id, (shape) => refusingFilter(candidateOf(this.pool, host), shape) === undefined);
    }
    this.pool.wokenHosts.clear();
  }

  /** Where few hosts come into question they are looked at; where any may, they are ranked. */
  private hostFor(vm: VmRecord, { shape, isParked, changedHosts }: ShapeGroup): HostId | undefined {
    if (isParked) return chooseHost(this.pool, vm, { shape, among: this.known(changedHosts) });
    if (shape.host !== undefined) return chooseHost(this.pool, vm, { shape, among: this.known([shape.host]) });
    return this.rankings.best(vm, shape);
  }

  private *known(ids: Iterable<HostId>): Iterable<HostRecord> {
    for (const id of ids) {
      const host = this.pool.hosts.get(id);
      if (host !== undefined) yield host;
    }
  }
}
