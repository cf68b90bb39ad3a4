/**
 * The VMs that wait, by what their clients wrote: for each shape and project the most urgent first, then the one that has waited
 * the longest. Priority does not grow here, so that nothing preempts by waiting. Each lane is due when its first VM has waited
 * for long enough, and again some time after it was looked at in vain. Nothing is kept while preemption is off.
 */
import type { VmId } from "../../shared/ids.ts";
import { OrderedHeap } from "./ordered-heap.ts";
import { isPromised } from "./preemption.ts";
import type { PreemptionSettings } from "./settings/preemption.ts";
import { defaultSettings } from "./settings/settings.ts";
import type { Shape } from "./shape.ts";
import type { VmRecord } from "./vm.ts";

interface UrgentVm {
  readonly id: VmId;
  readonly priority: number;
  /** Since when it waits. */
  readonly sinceMs: number;
}

export interface UrgentLane {
  readonly key: string;
  readonly project: string;
  readonly shape: Shape;
  readonly members: OrderedHeap<UrgentVm>;
  /** It was looked at in vain. */
  notBeforeMs: number;
  dueMs: number;
  /** How many hosts have been looked at for it: the next look goes on behind them. */
  hostsSeen: number;
}

export class UrgentLanes {
  private present: PreemptionSettings = defaultSettings.preemption;
  private readonly lanes = new Map<string, UrgentLane>();
  private readonly laneOf = new Map<VmId, UrgentLane>();
  private readonly byDue = new OrderedHeap<UrgentLane>(
    (a, b) => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && isMoreUrgent(a, b)),
    ({ key }) => key,
  );
  private restsUntilMs = 0;

  get settings(): PreemptionSettings {
    return this.present;
  }

  /** When the next lane is to be looked at, if any is. */
  get dueMs(): number | undefined {
    const { first } = this.byDue;
    return first && Math.max(first.dueMs, this.restsUntilMs);
  }

  /** Takes other settings; whoever calls adds every VM anew. */
  useSettings(settings: PreemptionSettings): void {
    for (const id of this.laneOf.keys()) this.remove(id);
    this.present = settings;
    this.restsUntilMs = 0;
  }

  put(vm: VmRecord, shape: Shape): void {
    if (!this.present.enabled) return;
    this.remove(vm.id);
    // What it needs is on its way.
    if (isPromised(vm)) return;
    const { project, priority } = vm.spec;
    const key = `${project} ${shape.key}`;
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      const members = new OrderedHeap<UrgentVm>(goesBefore, ({ id }) => id);
      lane = { key, project, shape, members, notBeforeMs: 0, dueMs: 0, hostsSeen: 0 };
      this.lanes.set(key, lane);
    }
    lane.members.add({ id: vm.id, priority, sinceMs: vm.stateSinceMs });
    this.laneOf.set(vm.id, lane);
    this.schedule(lane);
  }

  remove(id: VmId): void {
    const lane = this.laneOf.get(id);
    if (lane === undefined) return;
    this.laneOf.delete(id);
    lane.members.remove(id);
    if (lane.members.size === 0) {
      this.lanes.delete(lane.key);
      this.byDue.remove(lane.key);
    } else this.schedule(lane);
  }

  /** The lane that is due, or nothing. */
  due(nowMs: number): UrgentLane | undefined {
    const { dueMs } = this;
    return dueMs === undefined || dueMs > nowMs ? undefined : this.byDue.first;
  }

  /** It was looked at in vain. */
  postpone(lane: UrgentLane, untilMs: number): void {
    lane.notBeforeMs = untilMs;
    this.schedule(lane);
  }

  /** No lane is looked at until then. */
  rest(untilMs: number): void {
    this.restsUntilMs = untilMs;
  }

  private schedule(lane: UrgentLane): void {
    const { first } = lane.members;
    if (first === undefined) return;
    const dueMs = Math.max(lane.notBeforeMs, first.sinceMs + this.present.afterWaitMs);
    this.byDue.remove(lane.key);
    lane.dueMs = dueMs;
    this.byDue.add(lane);
  }
}

function goesBefore(a: UrgentVm, b: UrgentVm): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  return a.sinceMs === b.sinceMs ? a.id < b.id : a.sinceMs < b.sinceMs;
}

/** Of two that are due, the one with the higher priority. (A lane in the heap has members, and leaves it before they change.) */
function isMoreUrgent(a: UrgentLane, b: UrgentLane): boolean {
  const priority = a.members.first?.priority ?? 0;
  const other = b.members.first?.priority ?? 0;
  return priority === other ? a.key < b.key : priority > other;
}
