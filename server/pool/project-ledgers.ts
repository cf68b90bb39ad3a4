/**
 * What each project holds. It is counted as the capacity of hosts is: from placement until Parallels Desktop says that the VM
 * is gone, and for those for which others give way from then on. The ledgers are changed in place by the pool alone; one without VMs is forgotten.
 */
import { isPromised } from "./preemption.ts";
import type { VmRecord } from "./vm.ts";

export class ProjectLedger {
  /** VMs that have a host, or are promised one for which others give way, and what they hold. */
  vms = 0;
  cpuCount = 0;
  memoryMib = 0;
  diskMib = 0;
  macosSlots = 0;
  /** VMs that wait for a host. */
  waiting = 0;
  /** VMs that are not deleted, whatever their state. */
  members = 0;

  /** One that says the same, to be changed by itself. */
  copy(): ProjectLedger {
    return Object.assign(new ProjectLedger(), this);
  }

  /** Adds (1) or takes back (-1) a VM. */
  add(vm: VmRecord, sign: 1 | -1): void {
    if (vm.state === "DELETED") return;
    this.members += sign;
    if (isWaiting(vm)) this.waiting += sign;
    if (vm.host === undefined && !isPromised(vm)) return;
    this.vms += sign;
    this.cpuCount += sign * vm.resources.cpuCount;
    this.memoryMib += sign * vm.resources.memoryMib;
    this.diskMib += sign * vm.resources.diskMib;
    if (vm.image.guestOs === "macos") this.macosSlots += sign;
  }
}

export class ProjectLedgers {
  /** What all projects hold together. */
  readonly all = new ProjectLedger();
  private readonly ledgers = new Map<string, ProjectLedger>();
  private waitingCount = 0;

  /** How many projects have VMs. */
  get size(): number {
    return this.ledgers.size;
  }

  /** How many projects have VMs that wait. */
  get waiting(): number {
    return this.waitingCount;
  }

  /** What the project holds; nothing if it has no VMs. */
  of(project: string): ProjectLedger {
    return this.ledgers.get(project) ?? new ProjectLedger();
  }

  has(project: string): boolean {
    return this.ledgers.has(project);
  }

  add(vm: VmRecord, sign: 1 | -1): void {
    const { project } = vm.spec;
    let ledger = this.ledgers.get(project);
    if (ledger === undefined) {
      ledger = new ProjectLedger();
      this.ledgers.set(project, ledger);
    }
    const wasWaiting = ledger.waiting > 0;
    ledger.add(vm, sign);
    this.all.add(vm, sign);
    this.waitingCount += Number(ledger.waiting > 0) - Number(wasWaiting);
    if (ledger.members === 0) this.ledgers.delete(project);
  }
}

/** Whether it waits for a host. */
export function isWaiting(vm: VmRecord): boolean {
  return vm.state === "PENDING" && vm.spec.wanted !== "deleted";
}
