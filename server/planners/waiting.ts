/**
 * The placement planner: takes the first of the VMs that may have a host now and proposes one for it. A shape that fits
 * nowhere is parked with all its VMs, and looked at again only on hosts that have changed.
 */

import { chooseHost } from "../placement/place.ts";
import type { VmPlaced } from "../pool/events.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Pool } from "../pool/pool.ts";
import type { WaitingGroup } from "../pool/waiting-queue.ts";

/** The next placement, or nothing if no waiting VM fits anywhere now. Parks what it finds to fit nowhere. */
export function planPlacement(pool: Pool): VmPlaced | undefined {
  for (;;) {
    const group = pool.queue.nextAwake();
    const first = group?.members.first;
    if (group === undefined || first === undefined) return undefined;
    const vm = pool.vms.get(first.id);
    const host =
      vm === undefined ? undefined : chooseHost(pool, vm, { shape: group.shape, among: hostsFor(pool, group) });
    if (host !== undefined) return { type: "vm-placed", id: first.id, host };
    pool.queue.park(group);
  }
}

function* hostsFor(pool: Pool, group: WaitingGroup): Iterable<HostRecord> {
  if (!group.isParked) {
    yield* pool.hosts.values();
    return;
  }
  for (const id of group.changedHosts) {
    const host = pool.hosts.get(id);
    if (host !== undefined) yield host;
  }
}
