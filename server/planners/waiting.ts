/**
 * The placement planner: takes the first of the VMs that may have a host now and proposes one for it. A shape that fits
 * nowhere is parked with all its VMs, and looked at again only on hosts that have changed.
 */
import type { HostId } from "../../shared/ids.ts";
import { chooseHost } from "../placement/place.ts";
import { HostRankings } from "../placement/rankings.ts";
import type { VmPlaced } from "../pool/events.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import type { WaitingGroup } from "../pool/waiting-queue.ts";

export class PlacementPlanner {
  private readonly pool: Pool;
  private readonly rankings: HostRankings;

  constructor(pool: Pool) {
    this.pool = pool;
    this.rankings = new HostRankings(pool);
  }

  /** The next placement, or nothing if no waiting VM fits anywhere now. Parks what it finds to fit nowhere. */
  next(): VmPlaced | undefined {
    this.takeMoves();
    for (;;) {
      const group = this.pool.queue.nextAwake();
      const first = group?.members.first;
      if (group === undefined || first === undefined) return undefined;
      const vm = this.pool.vms.get(first.id);
      const host = vm === undefined ? undefined : this.hostFor(vm, group);
      if (host !== undefined) return { type: "vm-placed", id: first.id, host };
      this.pool.queue.park(group);
    }
  }

  private takeMoves(): void {
    for (const host of this.pool.movedHosts) this.rankings.noteMoved(host);
    this.pool.movedHosts.clear();
  }

  /** Where few hosts come into question they are looked at; where any may, they are ranked. */
  private hostFor(vm: VmRecord, { shape, isParked, changedHosts }: WaitingGroup): HostId | undefined {
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
