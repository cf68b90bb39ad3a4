/**
 * The VMs that wait for a host, grouped by shape. A group whose shape was found to fit nowhere is parked: it is looked at
 * again only on hosts that have changed since. So room that appears costs one look for each shape that waits, however many
 * VMs wait behind it.
 */
import type { HostId, VmId } from "../../shared/ids.ts";
import { OrderedHeap } from "./ordered-heap.ts";
import type { Shape } from "./shape.ts";

export interface WaitingVm {
  readonly id: VmId;
  /** Higher goes first. */
  readonly priority: number;
  /** Earlier goes first among equal priorities. */
  readonly createTimeMs: number;
}

export interface WaitingGroup {
  readonly shape: Shape;
  /** Found to fit on no host, but for those in `changedHosts`, which have changed since. */
  isParked: boolean;
  readonly changedHosts: Set<HostId>;
  readonly members: OrderedHeap<WaitingVm>;
}

export class WaitingQueue {
  private readonly groups = new Map<string, WaitingGroup>();
  private readonly groupOf = new Map<VmId, WaitingGroup>();
  /** Groups that may have a host now. */
  private readonly awake = new Set<WaitingGroup>();

  add(vm: WaitingVm, shape: Shape): void {
    this.remove(vm.id);
    let group = this.groups.get(shape.key);
    if (group === undefined) {
      group = {
        shape,
        isParked: false,
        changedHosts: new Set(),
        members: new OrderedHeap(isBefore, (member) => member.id),
      };
      this.groups.set(shape.key, group);
    }
    group.members.add(vm);
    this.groupOf.set(vm.id, group);
    if (!group.isParked) this.awake.add(group);
  }

  remove(id: VmId): void {
    const group = this.groupOf.get(id);
    if (group === undefined) return;
    this.groupOf.delete(id);
    group.members.remove(id);
    if (group.members.size > 0) return;
    this.groups.delete(group.shape.key);
    this.awake.delete(group);
  }

  /** Parks a group: it fits nowhere now. */
  park(group: WaitingGroup): void {
    group.isParked = true;
    group.changedHosts.clear();
    this.awake.delete(group);
  }

  /** A host may have room that it had not: every group may look at it. */
  wake(host: HostId): void {
    for (const group of this.groups.values()) {
      if (group.shape.host !== undefined && group.shape.host !== host) continue;
      if (group.isParked) group.changedHosts.add(host);
      this.awake.add(group);
    }
  }

  /** The awake group whose first VM goes before those of all others, or nothing. */
  nextAwake(): WaitingGroup | undefined {
    let best: WaitingGroup | undefined;
    let bestFirst: WaitingVm | undefined;
    for (const group of this.awake) {
      const first = group.members.first;
      if (first === undefined) continue;
      if (bestFirst === undefined || isBefore(first, bestFirst)) {
        best = group;
        bestFirst = first;
      }
    }
    return best;
  }

  /** The group of a waiting VM. */
  group(id: VmId): WaitingGroup | undefined {
    return this.groupOf.get(id);
  }
}

/** The order of the queue: by priority, then by age, then by name. */
export function isBefore(a: WaitingVm, b: WaitingVm): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.createTimeMs !== b.createTimeMs) return a.createTimeMs < b.createTimeMs;
  return a.id < b.id;
}
