/**
 * All VMs that wait, by grown priority and age, so that each one's place can be told without counting those before it. They
 * stand in short runs: adding, removing and finding a place cost a search and a walk over the runs, of which there are a few
 * hundred when 100,000 wait.
 */
import type { VmId } from "../../shared/ids.ts";
import { isBefore, type WaitingVm } from "./waiting-vm.ts";

/** A run that grows beyond this is split. Near the root of how many may wait, where runs and their number are in balance. */
const runLengthMax = 512;

export class WaitingLine {
  private readonly runs: WaitingVm[][] = [];
  private readonly placed = new Map<VmId, WaitingVm>();

  get size(): number {
    return this.placed.size;
  }

  /** Adds a VM, or moves it to where it belongs now. */
  put(vm: WaitingVm): void {
    this.remove(vm.id);
    this.placed.set(vm.id, vm);
    const index = Math.max(0, Math.min(this.runIndexOf(vm), this.runs.length - 1));
    const run = this.runs[index];
    if (run === undefined) {
      this.runs.push([vm]);
      return;
    }
    run.splice(countBefore(run, vm), 0, vm);
    if (run.length > runLengthMax) this.runs.splice(index + 1, 0, run.splice(runLengthMax / 2));
  }

  remove(id: VmId): void {
    const vm = this.placed.get(id);
    if (vm === undefined) return;
    this.placed.delete(id);
    const index = this.runIndexOf(vm);
    const run = this.runs[index];
    run?.splice(countBefore(run, vm), 1);
    if (run?.length === 0) this.runs.splice(index, 1);
  }

  /** From 1; 0 if it does not wait. */
  positionOf(id: VmId): number {
    const vm = this.placed.get(id);
    if (vm === undefined) return 0;
    const index = this.runIndexOf(vm);
    let ahead = 0;
    for (let before = 0; before < index; before += 1) ahead += this.runs[before]?.length ?? 0;
    return ahead + countBefore(this.runs[index] ?? [], vm) + 1;
  }

  /** The first run whose last VM does not go before this one; behind all runs if there is none. */
  private runIndexOf(vm: WaitingVm): number {
    return lowestIndex(this.runs.length, (index) => {
      const last = this.runs[index]?.at(-1);
      return last !== undefined && !isBefore(last, vm);
    });
  }
}

/** How many of an ordered run go before the VM. */
function countBefore(run: readonly WaitingVm[], vm: WaitingVm): number {
  return lowestIndex(run.length, (index) => {
    const other = run[index];
    return other === undefined || !isBefore(other, vm);
  });
}

/** The lowest index that holds, where all after it hold as well; `length` if none does. */
function lowestIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
