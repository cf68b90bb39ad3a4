/** A lane: the waiting VMs of one shape and one project, the first at hand. They fit on the same hosts and under the same quota. */
import { OrderedHeap } from "./ordered-heap.ts";
import type { ShapeGroup } from "./waiting-queue.ts";
import { isBefore, type WaitingVm } from "./waiting-vm.ts";

export class Lane {
  readonly key: string;
  readonly project: string;
  readonly group: ShapeGroup;
  /** Its shape would be more than its project's quota has left. */
  isOverQuota = false;
  /** It may have a host now. */
  isListed = false;
  /** When a VM of it was last given a host; 0: not since its first VM came. */
  servedAtMs = 0;
  private readonly members = new OrderedHeap<WaitingVm>(isBefore, (member) => member.id);
  private readonly countByPriority = new Map<number, number>();
  private highest = 0;

  constructor(project: string, group: ShapeGroup) {
    this.key = `${project} ${group.shape.key}`;
    this.project = project;
    this.group = group;
  }

  get first(): WaitingVm | undefined {
    return this.members.first;
  }

  get size(): number {
    return this.members.size;
  }

  /** The highest priority of any of its VMs, as clients wrote it. */
  get topPriority(): number {
    return this.highest;
  }

  add(vm: WaitingVm): void {
    this.members.add(vm);
    this.countByPriority.set(vm.priority, (this.countByPriority.get(vm.priority) ?? 0) + 1);
    this.highest = Math.max(this.highest, vm.priority);
  }

  remove(vm: WaitingVm): void {
    this.members.remove(vm.id);
    const count = (this.countByPriority.get(vm.priority) ?? 0) - 1;
    if (count > 0) {
      this.countByPriority.set(vm.priority, count);
      return;
    }
    this.countByPriority.delete(vm.priority);
    if (vm.priority === this.highest) this.highest = Math.max(0, ...this.countByPriority.keys());
  }

  /** Since when it has been passed over: since its first VM came or one was served, moved back by that VM's priority. */
  passedOverSinceMs(priorityStepMs: number): number {
    const { first } = this;
    if (first === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(first.agedTimeMs, this.servedAtMs - first.priority * priorityStepMs);
  }
}

/** The lane whose first VM goes before that of the other. */
export function isLaneBefore(a: Lane, b: Lane): boolean {
  const { first } = a;
  const { first: second } = b;
  return first !== undefined && second !== undefined && isBefore(first, second);
}
