/** All VMs that wait: which they are, their lanes in the queue, and their line by priority and age. */
import type { VmId } from "../../shared/ids.ts";
import { isWaiting } from "./project-ledgers.ts";
import type { QueueSettings } from "./settings/queue.ts";
import { shapeOf } from "./shape.ts";
import type { VmRecord } from "./vm.ts";
import { WaitingLine } from "./waiting-line.ts";
import { WaitingQueue } from "./waiting-queue.ts";
import { waitingVm } from "./waiting-vm.ts";

export class WaitingVms {
  readonly ids = new Set<VmId>();
  readonly queue: WaitingQueue;
  private line = new WaitingLine();

  constructor(settings: QueueSettings) {
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
      return;
    }
    const place = waitingVm(vm, this.queue.settings.priorityStepMs);
    this.ids.add(id);
    this.line.put(place);
    // One that a host refused keeps its place in the line until it is tried again.
    if (vm.retryAtMs === undefined) this.queue.add(place, shapeOf(vm));
    else this.queue.remove(id);
  }

  /** Puts all of them where they belong under other settings. */
  useSettings(settings: QueueSettings, vms: ReadonlyMap<VmId, VmRecord>): void {
    if (settings === this.queue.settings) return;
    this.queue.useSettings(settings);
    this.line = new WaitingLine();
    for (const id of this.ids) this.follow(id, vms.get(id));
  }
}
