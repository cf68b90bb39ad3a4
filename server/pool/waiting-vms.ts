/** All VMs that wait: which they are, their lanes in the queue, their line by priority and age, and who is urgent. */
import type { VmId } from "../../shared/ids.ts";
import { isWaiting } from "./project-ledgers.ts";
import type { PoolSettings } from "./settings/settings.ts";
import { shapeOf } from "./shape.ts";
import { UrgentLanes } from "./urgent-lanes.ts";
import type { VmRecord } from "./vm.ts";
import { WaitingLine } from "./waiting-line.ts";
import { WaitingQueue } from "./waiting-queue.ts";
import { waitingVm } from "./waiting-vm.ts";

export class WaitingVms {
  readonly ids = new Set<VmId>();
  readonly queue: WaitingQueue;
  readonly urgent = new UrgentLanes();
  private line = new WaitingLine();

  constructor(settings: PoolSettings["queue"]) {
    this.queue = new WaitingQueue(settings);
  }

  /** The VM's place in the line, from 1; 0 if it does not wait. */
  positionOf(id: VmId): number {
    return this.line.positionOf(id);
  }

  /** Follows a change of a VM. @param vm absent: it is gone. */
  follow(id: VmId, vm: VmRecord | undefined): void {
    if (vm === undefined || !isWaiting(vm)) {
      if (vm?.host !== undefined) this.queue.serve(id, vm.updateTimeMs);
      this.ids.delete(id);
      this.line.remove(id);
      this.queue.remove(id);
      this.urgent.remove(id);
      return;
    }
    const place = waitingVm(vm, this.queue.settings.priorityStepMs);
    this.ids.add(id);
    this.line.put(place);
    // One that a host refused keeps its place in the line until it is tried again.
    if (vm.retryAtMs === undefined) {
      const shape = shapeOf(vm);
      this.queue.add(place, shape);
      this.urgent.put(vm, shape);
      return;
    }
    this.queue.remove(id);
    this.urgent.remove(id);
  }

  /** Puts all of them where they belong under other settings. */
  useSettings({ queue, preemption }: PoolSettings, vms: ReadonlyMap<VmId, VmRecord>): void {
    const isSameQueue = queue === this.queue.settings;
    if (isSameQueue && preemption === this.urgent.settings) return;
    this.urgent.useSettings(preemption);
    if (!isSameQueue) {
      this.queue.useSettings(queue);
      this.line = new WaitingLine();
    }
    for (const id of this.ids) this.follow(id, vms.get(id));
  }
}
