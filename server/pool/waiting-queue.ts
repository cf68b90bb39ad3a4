/**
 * The VMs that wait for a host, grouped by shape. A group whose shape was found to fit nowhere is parked: it is looked at
 * again only on hosts that have changed since. So room that appears costs one look for each shape that waits, however many
 * VMs wait behind it.
 */
import type { HostId, VmId } from "../../shared/ids.ts";
import { OrderedHeap } from "./ordered-heap.ts";
import type { Shape } from "./shape.ts";

/**
 * How many changed hosts a parked group remembers. They are looked at one by one for each of its VMs: with more of them, as
 * when many hosts come back at once, it is better looked at as a group that was never parked.
 */
const changedHostsMax = 64;

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
  /** May have a host now. */
  isAwake: boolean;
  readonly changedHosts: Set<HostId>;
  readonly members: OrderedHeap<WaitingVm>;
}

export class WaitingQueue {
  private readonly groups = new Map<string, WaitingGroup>();
  private readonly groupOf = new Map<VmId, WaitingGroup>();
  /** Groups that may have a host now: the one whose first VM goes before all others comes first. */
  private readonly awake = new OrderedHeap<WaitingGroup>(isGroupBefore, (group) => group.shape.key);

  add(vm: WaitingVm, shape: Shape): void {
    // A change that leaves the shape as it is wakes nobody.
    if (this.groupOf.get(vm.id)?.shape.key !== shape.key) this.remove(vm.id);
    const group = this.groups.get(shape.key) ?? this.openGroup(shape);
    this.sleep(group);
    group.members.remove(vm.id);
    group.members.add(vm);
    this.groupOf.set(vm.id, group);
    if (!group.isParked || group.changedHosts.size > 0) this.awaken(group);
  }

  remove(id: VmId): void {
    const group = this.groupOf.get(id);
    if (group === undefined) return;
    const wasAwake = group.isAwake;
    this.sleep(group);
    this.groupOf.delete(id);
    group.members.remove(id);
    if (group.members.size === 0) this.groups.delete(group.shape.key);
    else if (wasAwake) this.awaken(group);
  }

  /** Parks a group: it fits nowhere now. */
  park(group: WaitingGroup): void {
    group.isParked = true;
    group.changedHosts.clear();
    this.sleep(group);
  }

  /** A host may have room that it had not: every group that it could serve may look at it. */
  wake(host: HostId): void {
    for (const group of this.groups.values()) {
      if (!group.isParked || (group.shape.host !== undefined && group.shape.host !== host)) continue;
      group.changedHosts.add(host);
      if (group.changedHosts.size > changedHostsMax) {
        group.isParked = false;
        group.changedHosts.clear();
      }
      this.awaken(group);
    }
  }

  /** Any host may fit now: no group is parked any more. */
  wakeAll(): void {
    for (const group of this.groups.values()) {
      group.isParked = false;
      group.changedHosts.clear();
      this.awaken(group);
    }
  }

  /** The awake group whose first VM goes before those of all others, or nothing. */
  nextAwake(): WaitingGroup | undefined {
    return this.awake.first;
  }

  /** The group of a waiting VM. */
  group(id: VmId): WaitingGroup | undefined {
    return this.groupOf.get(id);
  }

  private openGroup(shape: Shape): WaitingGroup {
    const members = new OrderedHeap<WaitingVm>(isBefore, (member) => member.id);
    const group = { shape, isParked: false, isAwake: false, changedHosts: new Set<HostId>(), members };
    this.groups.set(shape.key, group);
    return group;
  }

  /** Puts it where its first VM belongs; a group sleeps while its members change. */
  private awaken(group: WaitingGroup): void {
    if (group.isAwake) return;
    group.isAwake = true;
    this.awake.add(group);
  }

  private sleep(group: WaitingGroup): void {
    if (!group.isAwake) return;
    group.isAwake = false;
    this.awake.remove(group.shape.key);
  }
}

/** The order of the queue: by priority, then by age, then by name. */
export function isBefore(a: WaitingVm, b: WaitingVm): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.createTimeMs !== b.createTimeMs) return a.createTimeMs < b.createTimeMs;
  return a.id < b.id;
}

function isGroupBefore(a: WaitingGroup, b: WaitingGroup): boolean {
  const first = a.members.first;
  const second = b.members.first;
  return first !== undefined && second !== undefined && isBefore(first, second);
}
