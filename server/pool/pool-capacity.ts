/** What all hosts together can give to VMs, and how much of that a project holds: the share by which the queue is fair. */
import type { HostLedger } from "./ledger.ts";
import type { ProjectLedger } from "./project-ledgers.ts";

export class PoolCapacity {
  cpuCount = 0;
  memoryMib = 0;
  macosSlots = 0;

  /** Adds (1) or takes back (-1) what a host can give. */
  add({ cpuCapacity, memoryCapacityMib, macosSlots }: HostLedger, sign: 1 | -1): void {
    this.cpuCount += sign * cpuCapacity;
    this.memoryMib += sign * memoryCapacityMib;
    this.macosSlots += sign * macosSlots;
  }

  /**
   * What a project holds of the pool, of what it holds most of, divided by its weight: halfway to having one more VM of average
   * size. Without that VM, projects of little weight would be served beyond it in the long run, with all of it those of great
   * weight; halfway neither is (it is how Webster gave seats to parties).
   * @param all what all projects hold together.
   */
  shareOf(held: ProjectLedger, weight: number, all: ProjectLedger): number {
    const halves = 2 * Math.max(1, all.vms);
    const share = Math.max(
      partOf(held.cpuCount + all.cpuCount / halves, this.cpuCount),
      partOf(held.memoryMib + all.memoryMib / halves, this.memoryMib),
      partOf(held.macosSlots + all.macosSlots / halves, this.macosSlots),
    );
    return share / weight;
  }
}

/** Of what nobody has, the more is held the more it counts: hosts that are gone may have left VMs that still hold it. */
function partOf(held: number, capacity: number): number {
  return held / Math.max(1, capacity);
}
