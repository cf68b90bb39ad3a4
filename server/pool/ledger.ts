/**
 * A host's capacity and what of it is taken. Capacity is counted once and early: a VM of the pool holds all that it reserved
 * from placement until Parallels Desktop says that it is gone; a VM that others run on the Mac holds CPU, memory and a macOS
 * slot unless it is fully stopped, and its disk always.
 *
 * Ledgers are changed in place by the pool alone; they are made by one constructor, so that scanning thousands stays fast.
 */

import { type HostContact, type HostLimits, type HostRecord, type HostVm, hostLabels } from "./host.ts";
import type { Labels } from "./labels.ts";
import { placedAtMs } from "./lifetimes.ts";
import { isLeaving } from "./preemption.ts";
import type { HostReservation } from "./reservation.ts";
import { imageKey, type Shape, type ShapeSize } from "./shape.ts";
import type { Resources, VmRecord } from "./vm.ts";

export class HostLedger {
  /** What can be given to VMs: totals less the reserve, times the overcommit factors. */
  cpuCapacity = 0;
  memoryCapacityMib = 0;
  diskCapacityMib = 0;
  macosSlots = 0;
  parallelCreates = 0;
  /** What is taken. */
  cpuTaken = 0;
  memoryTakenMib = 0;
  diskTakenMib = 0;
  macosTaken = 0;
  /** VMs of the pool that are placed here and not made yet, and the disk that they will need. */
  creating = 0;
  diskToMakeMib = 0;
  /** How many VMs are being made here of which catalog image, as `imageKey` writes it. */
  readonly pulls = new Map<string, number>();
  /** VMs of the pool that hold capacity here. */
  vmCount = 0;
  /** Disk that was free at the last heartbeat. */
  diskFreeMib = 0;
  /** The labels that placement looks at. */
  labels: Labels = {};
  /** Names of stopped VMs that others keep here: golden VMs among them. */
  goldenVms: ReadonlySet<string> = new Set();
  /** Catalog images in the host's cache, as `imageKey` writes them. */
  images: ReadonlySet<string> = new Set();
  /** Room that is kept for a VM that waits. */
  reservation: HostReservation | undefined = undefined;
  /** What VMs take that came since room is kept: what is left beside them stays free for it. */
  private later: Taken = nothingTaken;
  /** What VMs of the pool take that are on their way out. */
  private leaving: Taken = nothingTaken;
  /** What foreign VMs take, to be taken back when the inventory changes. */
  private foreign: Taken = nothingTaken;

  /** One that says the same, to be changed by itself. */
  copy(): HostLedger {
    return Object.assign(new HostLedger(), this);
  }

  /** Reads capacity and foreign VMs anew from the host's record. */
  setHost(host: HostRecord | undefined): void {
    const capacity = host === undefined ? noResources : hostCapacity(host);
    const limits: HostLimits | undefined = host?.spec.limits;
    this.cpuCapacity = capacity.cpuCount;
    this.memoryCapacityMib = capacity.memoryMib;
    this.diskCapacityMib = capacity.diskMib;
    this.macosSlots = limits?.macosSlots ?? 0;
    this.parallelCreates = limits?.parallelCreates ?? 0;
    this.add(this.foreign, -1);
    this.foreign = host === undefined ? nothingTaken : foreignTaken(host.foreignVms);
    this.add(this.foreign, 1);
    this.labels = host === undefined ? {} : hostLabels(host);
    this.goldenVms = new Set(host?.foreignVms.filter((vm) => vm.state === "stopped").map((vm) => vm.name));
    this.images = new Set(host?.images.map((image) => imageKey(image.catalogId, image.version)));
  }

  setDisk(contact: HostContact): void {
    this.diskFreeMib = contact.diskFreeMib;
  }

  /** Adds (1) or takes back (-1) what a VM holds on its host. */
  addVm(vm: VmRecord, sign: 1 | -1): void {
    this.add(takenBy(vm), sign);
    this.vmCount += sign;
    if (this.isLater(vm)) this.later = sumOf(this.later, takenBy(vm), sign);
    if (isLeaving(vm)) this.leaving = sumOf(this.leaving, takenBy(vm), sign);
    if (isBeingMade(vm)) {
      this.creating += sign;
      this.diskToMakeMib += sign * vm.resources.diskMib;
      this.countPull(vm, sign);
    }
  }

  private countPull({ image: { source } }: VmRecord, sign: 1 | -1): void {
    if (source.kind !== "catalog") return;
    const key = imageKey(source.catalogId, source.version);
    const count = (this.pulls.get(key) ?? 0) + sign;
    if (count === 0) this.pulls.delete(key);
    else this.pulls.set(key, count);
  }

  /** Keeps room, or gives it back. @param vms those that stand here. */
  keepRoom(reservation: HostReservation | undefined, vms: Iterable<VmRecord>): void {
    this.reservation = reservation;
    this.later = nothingTaken;
    for (const vm of vms) if (this.isLater(vm)) this.later = sumOf(this.later, takenBy(vm), 1);
  }

  /** Whether a VM of the shape would fit if all VMs of the pool were gone. */
  couldHold({ resources, isMacos }: ShapeSize): boolean {
    return this.hasRoomFor([{ ...resources, macos: Number(isMacos) }]);
  }

  /** Whether a VM of the shape would leave enough of the room that is kept, once those have gone that were here before. */
  leavesRoom({ key, resources, isMacos }: Shape): boolean {
    if (this.reservation === undefined || this.reservation.shape.key === key) return true;
    const { shape, isByPreemption } = this.reservation;
    if (isByPreemption === true) return this.fitOnceGone([shape, { resources, isMacos }]);
    const kept = { ...shape.resources, macos: Number(shape.isMacos) };
    return this.hasRoomFor([kept, this.later, { ...resources, macos: Number(isMacos) }]);
  }

  /**
   * Whether all of that fits once those have gone that are on their way out.
   * @param staying one of them that is to stay.
   */
  fitOnceGone(sizes: readonly ShapeSize[], staying?: VmRecord): boolean {
    let sum: Taken = {
      cpuCount: this.cpuTaken,
      memoryMib: this.memoryTakenMib,
      diskMib: this.diskTakenMib,
      macos: this.macosTaken,
    };
    sum = sumOf(sum, this.leaving, -1);
    if (staying !== undefined) sum = sumOf(sum, takenBy(staying), 1);
    for (const { resources, isMacos } of sizes) sum = sumOf(sum, { ...resources, macos: Number(isMacos) }, 1);
    return (
      sum.cpuCount <= this.cpuCapacity &&
      sum.memoryMib <= this.memoryCapacityMib &&
      sum.diskMib <= this.diskCapacityMib &&
      (sum.macos <= this.macosSlots || sizes.every(({ isMacos }) => !isMacos))
    );
  }

  private isLater(vm: VmRecord): boolean {
    return this.reservation !== undefined && placedAtMs(vm) >= this.reservation.sinceMs;
  }

  /** Whether all of that fits beside what others run here. */
  private hasRoomFor(amounts: readonly Taken[]): boolean {
    let sum = this.foreign;
    for (const amount of amounts) sum = sumOf(sum, amount, 1);
    return (
      sum.cpuCount <= this.cpuCapacity &&
      sum.memoryMib <= this.memoryCapacityMib &&
      sum.diskMib <= this.diskCapacityMib &&
      // More guests that people started are no reason against a VM that needs no slot.
      (sum.macos <= this.macosSlots || sum.macos === this.foreign.macos)
    );
  }

  private add(taken: Taken, sign: 1 | -1): void {
    this.cpuTaken += sign * taken.cpuCount;
    this.memoryTakenMib += sign * taken.memoryMib;
    this.diskTakenMib += sign * taken.diskMib;
    this.macosTaken += sign * taken.macos;
  }
}

/** Whether a VM's disk is promised on its host but not there yet. */
export function isBeingMade(vm: VmRecord): boolean {
  return vm.state === "PLACED" || vm.state === "CREATING";
}

/** What can be given to VMs on a host; nothing as long as it has never connected. */
export function hostCapacity(host: HostRecord): Resources {
  if (host.facts === undefined) return noResources;
  const { total, reserved } = host.facts;
  const { limits } = host.spec;
  const own = host.spec.reserved;
  return {
    cpuCount: Math.floor(
      Math.max(0, total.cpuCount - Math.max(reserved.cpuCount, own.cpuCount)) * limits.cpuOvercommit,
    ),
    memoryMib: Math.floor(
      Math.max(0, total.memoryMib - Math.max(reserved.memoryMib, own.memoryMib)) * limits.memoryOvercommit,
    ),
    diskMib: Math.floor(Math.max(0, total.diskMib - Math.max(reserved.diskMib, own.diskMib)) * limits.diskOvercommit),
  };
}

/** Whether Parallels Desktop holds CPU and memory for a VM in this state. Unknown states count as holding. */
export function holdsCpu(parallelsState: string): boolean {
  return parallelsState !== "stopped" && parallelsState !== "invalid";
}

interface Taken extends Resources {
  readonly macos: number;
}

const noResources: Resources = { cpuCount: 0, memoryMib: 0, diskMib: 0 };
const nothingTaken: Taken = { ...noResources, macos: 0 };

function takenBy({ resources, image }: VmRecord): Taken {
  return { ...resources, macos: image.guestOs === "macos" ? 1 : 0 };
}

function sumOf(a: Taken, b: Taken, sign: 1 | -1): Taken {
  return {
    cpuCount: a.cpuCount + sign * b.cpuCount,
    memoryMib: a.memoryMib + sign * b.memoryMib,
    diskMib: a.diskMib + sign * b.diskMib,
    macos: a.macos + sign * b.macos,
  };
}

function foreignTaken(vms: readonly HostVm[]): Taken {
  let cpuCount = 0;
  let memoryMib = 0;
  let diskMib = 0;
  let macos = 0;
  for (const vm of vms) {
    diskMib += vm.resources.diskMib;
    if (!holdsCpu(vm.state)) continue;
    cpuCount += vm.resources.cpuCount;
    memoryMib += vm.resources.memoryMib;
    if (vm.isMacos) macos += 1;
  }
  return { cpuCount, memoryMib, diskMib, macos };
}
