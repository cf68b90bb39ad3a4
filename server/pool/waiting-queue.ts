/**
 * The VMs that wait for a host, in lanes: one for each shape and project. A shape that was found to fit nowhere is parked with
 * all its lanes: it is looked at again only on hosts that have changed since. So room that appears costs one look for each
 * shape that waits, however many VMs wait behind it. A lane that its project's quota holds back stays out until the project
 * has more room. The others are listed, and one of them is next; `docs/placement.md` says which, and why nothing starves.
 */
import type { HostId, VmId } from "../../shared/ids.ts";
import { isLaneBefore, Lane } from "./lane.ts";
import { projectsMax } from "./limits.ts";
import { OrderedHeap } from "./ordered-heap.ts";
import type { QueueSettings } from "./settings/queue.ts";
import type { Shape } from "./shape.ts";
import { highestPriority, type WaitingVm } from "./waiting-vm.ts";

/**
 * How many changed hosts a parked shape remembers. They are looked at one by one for each of its VMs: with more of them, as
 * when many hosts come back at once, it is better looked at as a shape that was never parked.
 */
const changedHostsMax = 64;

/** All that wait of one shape. */
export interface ShapeGroup {
  readonly shape: Shape;
  /** Found to fit on no host, but for those in `changedHosts`, which have changed since. */
  isParked: boolean;
  readonly changedHosts: Set<HostId>;
  /** By project. */
  readonly lanes: Map<string, Lane>;
}

/** A project that may have the next turn, by the lane of its first VM. */
interface Contender {
  readonly lane: Lane;
  readonly share: number;
  readonly turn: number;
}

interface Member {
  readonly vm: WaitingVm;
  readonly lane: Lane;
}

export class WaitingQueue {
  private readonly groups = new Map<string, ShapeGroup>();
  private readonly members = new Map<VmId, Member>();
  /** Listed lanes of each project: the one whose first VM goes before all others comes first. */
  private readonly listedByProject = new Map<string, OrderedHeap<Lane>>();
  /** All listed lanes, the one with the most urgent VM first, as clients wrote it. */
  private readonly byPriority = new OrderedHeap<Lane>(hasHigherTop, (lane) => lane.key);
  /** All listed lanes, the one that has been passed over the longest first. */
  private readonly byPassing = new OrderedHeap<Lane>(
    (a, b) => this.isPassedOverLonger(a, b),
    (lane) => lane.key,
  );
  /** Which turn each project had last, of those that have had any since this server started. */
  private readonly turns = new Map<string, number>();
  private turnCount = 0;
  /** Lanes that a quota holds back, by project. */
  private readonly heldBack = new Map<string, Set<Lane>>();
  /** Parked shapes by which no smaller one was served since they were, and since when one was for the others, oldest first. */
  private readonly notPassed = new Set<ShapeGroup>();
  private readonly passedSinceMs = new Map<ShapeGroup, number>();
  private present: QueueSettings;

  constructor(settings: QueueSettings) {
    this.present = settings;
  }

  get settings(): QueueSettings {
    return this.present;
  }

  /** Takes other settings; whoever calls adds every VM anew, since their places depend on them. */
  useSettings(settings: QueueSettings): void {
    // Where a lane stands among those that are passed over is by the settings too, so all leave before they change.
    const lanes = [...this.groups.values()].flatMap((group) => [...group.lanes.values()]);
    for (const lane of lanes) this.unlist(lane);
    this.present = settings;
    for (const lane of lanes) this.listIfAwake(lane);
  }

  add(vm: WaitingVm, shape: Shape): void {
    const known = this.members.get(vm.id);
    // A change that leaves the shape as it is wakes nobody.
    const isSameLane = known?.lane.group.shape.key === shape.key && known.lane.project === vm.project;
    if (known !== undefined && !isSameLane) this.remove(vm.id);
    const lane = this.laneFor(vm.project, shape);
    this.members.set(vm.id, { vm, lane });
    this.change(lane, () => {
      if (known !== undefined && isSameLane) lane.remove(known.vm);
      lane.add(vm);
    });
  }

  remove(id: VmId): void {
    const member = this.members.get(id);
    if (member === undefined) return;
    const { vm, lane } = member;
    this.members.delete(id);
    this.change(lane, () => lane.remove(vm));
    if (lane.size > 0) return;
    lane.group.lanes.delete(lane.project);
    this.heldBack.get(lane.project)?.delete(lane);
    if (lane.group.lanes.size > 0) return;
    this.groups.delete(lane.group.shape.key);
    this.notPassed.delete(lane.group);
    this.passedSinceMs.delete(lane.group);
  }

  /** A VM of the queue has been given a host: its lane has had its turn. It is removed after that. */
  serve(id: VmId, timeMs: number): void {
    const lane = this.members.get(id)?.lane;
    if (lane === undefined) return;
    this.unlist(lane);
    lane.servedAtMs = timeMs;
    this.notePassing(lane.group, timeMs);
    this.turnCount += 1;
    // The last turn moves to the end, and the first is forgotten when there have been too many projects.
    this.turns.delete(lane.project);
    this.turns.set(lane.project, this.turnCount);
    const [oldest] = this.turns.keys();
    if (this.turns.size > projectsMax && oldest !== undefined) this.turns.delete(oldest);
    this.listIfAwake(lane);
  }

  /** Parks a shape: it fits nowhere now. */
  park(group: ShapeGroup): void {
    group.isParked = true;
    group.changedHosts.clear();
    for (const lane of group.lanes.values()) this.unlist(lane);
    if (!this.passedSinceMs.has(group)) this.notPassed.add(group);
  }

  /** When the next shape will have been passed over by smaller ones for `reserveAfterMs`. */
  get passedOverDueMs(): number | undefined {
    const [sinceMs] = this.passedSinceMs.values();
    return sinceMs === undefined ? undefined : sinceMs + this.present.reserveAfterMs;
  }

  /** A parked shape that has been; it counts from anew. */
  takePassedOver(nowMs: number): ShapeGroup | undefined {
    for (const [group, sinceMs] of this.passedSinceMs) {
      if (sinceMs + this.present.reserveAfterMs > nowMs) return undefined;
      this.passedSinceMs.delete(group);
      this.notPassed.add(group);
      // One that is awake is looked at anyway.
      if (!isAwake(group)) return group;
    }
    return undefined;
  }

  /** A host may have room that it had not: every parked shape that fits there now may look at it. */
  wake(host: HostId, fits: (shape: Shape) => boolean = () => true): void {
    for (const group of this.groups.values()) {
      if (!group.isParked || (group.shape.host !== undefined && group.shape.host !== host)) continue;
      if (group.changedHosts.has(host) || !fits(group.shape)) continue;
      const wasAwake = isAwake(group);
      group.changedHosts.add(host);
      if (group.changedHosts.size > changedHostsMax) {
        group.isParked = false;
        group.changedHosts.clear();
      }
      if (!wasAwake) for (const lane of group.lanes.values()) this.listIfAwake(lane);
    }
  }

  /** Any host may fit now: no shape is parked any more. */
  wakeAll(): void {
    for (const group of this.groups.values()) {
      group.isParked = false;
      group.changedHosts.clear();
      for (const lane of group.lanes.values()) this.listIfAwake(lane);
    }
  }

  /** Its project's quota has no room for a VM of the lane. */
  holdBack(lane: Lane): void {
    this.unlist(lane);
    lane.isOverQuota = true;
    let lanes = this.heldBack.get(lane.project);
    if (lanes === undefined) {
      lanes = new Set();
      this.heldBack.set(lane.project, lanes);
    }
    lanes.add(lane);
  }

  /** A project may have room in its quota that it had not: lanes of it that fit now are no longer held back. */
  wakeProject(project: string, fits: (shape: Shape) => boolean): void {
    const lanes = this.heldBack.get(project);
    if (lanes === undefined) return;
    for (const lane of lanes) {
      if (!fits(lane.group.shape)) continue;
      lanes.delete(lane);
      lane.isOverQuota = false;
      this.listIfAwake(lane);
    }
    if (lanes.size === 0) this.heldBack.delete(project);
  }

  /**
   * The lane whose first VM is next, or nothing. First one that was passed over for too long. Otherwise, of the projects that
   * have a VM whose grown priority reaches the highest that anybody asked for, the one that holds least for its weight; of
   * those that hold alike, the one whose last turn was the longest ago.
   * @param shareOf what a project holds of the pool, for its weight.
   */
  next(nowMs: number, shareOf: (project: string) => number): Lane | undefined {
    const { priorityStepMs, passedOverMaxMs } = this.settings;
    const passedOver = this.byPassing.first;
    if (passedOver === undefined) return undefined;
    const tooLongSinceMs = nowMs - highestPriority * priorityStepMs - passedOverMaxMs;
    if (passedOver.passedOverSinceMs(priorityStepMs) <= tooLongSinceMs) return passedOver;
    const reachedMs = nowMs - (this.byPriority.first?.topPriority ?? 0) * priorityStepMs;
    let best: Contender | undefined;
    for (const [project, lanes] of this.listedByProject) {
      const lane = lanes.first;
      if (lane?.first === undefined || lane.first.agedTimeMs > reachedMs) continue;
      const share = this.listedByProject.size === 1 ? 0 : shareOf(project);
      const contender = { lane, share, turn: this.turns.get(project) ?? 0 };
      if (best === undefined || isContenderBefore(contender, best)) best = contender;
    }
    return best?.lane;
  }

  /** The listed lane with the most urgent VM, which says how high a priority has to grow; or nothing. */
  mostUrgent(): Lane | undefined {
    return this.byPriority.first;
  }

  /** The lane of a waiting VM. */
  lane(id: VmId): Lane | undefined {
    return this.members.get(id)?.lane;
  }

  private isPassedOverLonger(a: Lane, b: Lane): boolean {
    const { priorityStepMs } = this.settings;
    const sinceMs = a.passedOverSinceMs(priorityStepMs);
    const otherMs = b.passedOverSinceMs(priorityStepMs);
    return sinceMs === otherMs ? isLaneBefore(a, b) : sinceMs < otherMs;
  }

  private notePassing(served: ShapeGroup, timeMs: number): void {
    this.passedSinceMs.delete(served);
    this.notPassed.delete(served);
    for (const group of this.notPassed) {
      if (!needsMore(group.shape, served.shape)) continue;
      this.notPassed.delete(group);
      this.passedSinceMs.set(group, timeMs);
    }
  }

  private laneFor(project: string, shape: Shape): Lane {
    let group = this.groups.get(shape.key);
    if (group === undefined) {
      group = { shape, isParked: false, changedHosts: new Set(), lanes: new Map() };
      this.groups.set(shape.key, group);
    }
    let lane = group.lanes.get(project);
    if (lane === undefined) {
      lane = new Lane(project, group);
      group.lanes.set(project, lane);
    }
    return lane;
  }

  /** Changes the members of a lane, and its place among the listed ones if that depends on them. */
  private change(lane: Lane, changeMembers: () => void): void {
    const { first, topPriority } = lane;
    changeMembers();
    if (lane.first === first && lane.topPriority === topPriority) return;
    // A heap never looks at what it removes, so that the lane may have changed before.
    this.unlist(lane);
    this.listIfAwake(lane);
  }

  private listIfAwake(lane: Lane): void {
    if (lane.isListed || lane.isOverQuota || lane.size === 0 || !isAwake(lane.group)) return;
    lane.isListed = true;
    let lanes = this.listedByProject.get(lane.project);
    if (lanes === undefined) {
      lanes = new OrderedHeap<Lane>(isLaneBefore, ({ key }) => key);
      this.listedByProject.set(lane.project, lanes);
    }
    lanes.add(lane);
    this.byPriority.add(lane);
    this.byPassing.add(lane);
  }

  private unlist(lane: Lane): void {
    if (!lane.isListed) return;
    lane.isListed = false;
    const lanes = this.listedByProject.get(lane.project);
    lanes?.remove(lane.key);
    if (lanes?.size === 0) this.listedByProject.delete(lane.project);
    this.byPriority.remove(lane.key);
    this.byPassing.remove(lane.key);
  }
}

/** Whether VMs of the shape may have a host now. */
function isAwake({ isParked, changedHosts }: ShapeGroup): boolean {
  return !isParked || changedHosts.size > 0;
}

/** Whether it needs more of anything, so that what one leaves free may not do for the other. */
function needsMore({ resources }: Shape, { resources: other }: Shape): boolean {
  return (
    resources.cpuCount > other.cpuCount || resources.memoryMib > other.memoryMib || resources.diskMib > other.diskMib
  );
}

function hasHigherTop(a: Lane, b: Lane): boolean {
  return a.topPriority === b.topPriority ? isLaneBefore(a, b) : a.topPriority > b.topPriority;
}

function isContenderBefore(a: Contender, b: Contender): boolean {
  if (a.share !== b.share) return a.share < b.share;
  return a.turn === b.turn ? isLaneBefore(a.lane, b.lane) : a.turn < b.turn;
}
