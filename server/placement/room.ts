/** How many VMs of a shape hosts could take: now, and as those that stand there go. */
import type { Shape } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import { type Candidate, candidateOf, type FilterName, refusingFilter } from "./filters.ts";

/** How many VMs of the shape would be placed now, one after the other, if nothing else happened; at most `most`. */
export function countFitting(view: PoolView, shape: Shape, most: number): number {
  let count = 0;
  for (const host of view.hosts.values()) {
    if (count >= most) return most;
    const candidate = candidateOf(view, host);
    if (refusingFilter(candidate, shape) !== undefined) continue;
    count += Math.max(1, roomNow(candidate, shape));
  }
  return Math.min(count, most);
}

/** How many fit on a host that no filter refuses. */
function roomNow({ host, ledger }: Candidate, shape: Shape): number {
  const { cpuCount, memoryMib, diskMib } = shape.resources;
  return Math.min(
    shares(ledger.cpuCapacity - ledger.cpuTaken, cpuCount),
    shares(ledger.memoryCapacityMib - ledger.memoryTakenMib, memoryMib),
    shares(ledger.diskCapacityMib - ledger.diskTakenMib, diskMib),
    shares(ledger.diskFreeMib * host.spec.limits.diskOvercommit - ledger.diskToMakeMib, diskMib),
    shape.isMacos ? ledger.macosSlots - ledger.macosTaken : Number.POSITIVE_INFINITY,
    ledger.parallelCreates - ledger.creating,
  );
}

function shares(free: number, each: number): number {
  return each === 0 ? Number.POSITIVE_INFINITY : Math.floor(free / each);
}

/** Filters that refuse only until what stands on the host, or is being made there, has gone or is done. */
const passing: ReadonlySet<FilterName> = new Set([
  "macos_slots",
  "cpu",
  "memory",
  "disk",
  "parallel_creates",
  "reserved_for",
] satisfies readonly FilterName[]);

/**
 * In how many ms from now a place for one more VM of the shape appears, place after place, on all hosts that could ever take
 * one as they are: in order, one entry a place. Places that are free now are 0.
 * @param stayMs how long a VM that is placed will stay from now on; nothing if that is not known.
 */
export function placesInMs(
  view: PoolView,
  shape: Shape,
  stayMs: (vm: VmRecord) => number | undefined,
): readonly number[] {
  const places: number[] = [];
  for (const host of view.hosts.values()) {
    const candidate = candidateOf(view, host);
    const refusal = refusingFilter(candidate, shape);
    if (refusal !== undefined && !passing.has(refusal.name)) continue;
    const room = new Room(candidate, shape);
    while (room.take()) places.push(0);
    for (const { vm, inMs } of leavingFrom(view, candidate, stayMs)) {
      room.free(vm);
      while (room.take()) places.push(inMs);
    }
  }
  return places.sort((a, b) => a - b);
}

export function isPassing(filter: FilterName): boolean {
  return passing.has(filter);
}

/** In how many ms from now the first VM of the shape will fit on the host, if that can be known. */
export function fitsInMs(
  view: PoolView,
  candidate: Candidate,
  { shape, stayMs }: { readonly shape: Shape; readonly stayMs: (vm: VmRecord) => number | undefined },
): number | undefined {
  const room = new Room(candidate, shape);
  if (room.take()) return 0;
  for (const { vm, inMs } of leavingFrom(view, candidate, stayMs)) {
    room.free(vm);
    if (room.take()) return inMs;
  }
  return undefined;
}

interface Leaving {
  readonly vm: VmRecord;
  readonly inMs: number;
}

/** The VMs of a host of which it is known when they will go, in that order. */
function leavingFrom(
  view: PoolView,
  { host }: Candidate,
  stayMs: (vm: VmRecord) => number | undefined,
): readonly Leaving[] {
  const leaving: Leaving[] = [];
  for (const id of view.vmsOn(host.id)) {
    const vm = view.vms.get(id);
    const inMs = vm === undefined ? undefined : stayMs(vm);
    if (vm !== undefined && inMs !== undefined) leaving.push({ vm, inMs });
  }
  return leaving.sort((a, b) => a.inMs - b.inMs || (a.vm.id < b.vm.id ? -1 : 1));
}

/** What is free on a host, in the mind alone. */
export class Room {
  private readonly shape: Shape;
  private cpuCount: number;
  private memoryMib: number;
  private diskMib: number;
  private macos: number;

  constructor({ host, ledger }: Candidate, shape: Shape) {
    this.shape = shape;
    this.cpuCount = ledger.cpuCapacity - ledger.cpuTaken;
    this.memoryMib = ledger.memoryCapacityMib - ledger.memoryTakenMib;
    this.diskMib = Math.min(
      ledger.diskCapacityMib - ledger.diskTakenMib,
      ledger.diskFreeMib * host.spec.limits.diskOvercommit - ledger.diskToMakeMib,
    );
    this.macos = ledger.macosSlots - ledger.macosTaken;
  }

  /** Gives back what a VM takes (1), or takes it again (-1). */
  free({ resources, image }: VmRecord, sign: 1 | -1 = 1): void {
    this.cpuCount += sign * resources.cpuCount;
    this.memoryMib += sign * resources.memoryMib;
    this.diskMib += sign * resources.diskMib;
    if (image.guestOs === "macos") this.macos += sign;
  }

  /** Whether a VM of the shape would fit. */
  get fits(): boolean {
    const { resources, isMacos } = this.shape;
    return (
      this.cpuCount >= resources.cpuCount &&
      this.memoryMib >= resources.memoryMib &&
      this.diskMib >= resources.diskMib &&
      (!isMacos || this.macos >= 1)
    );
  }

  /** Takes the room of one VM, if it is there. */
  take(): boolean {
    const { resources, isMacos } = this.shape;
    if (!this.fits) return false;
    this.cpuCount -= resources.cpuCount;
    this.memoryMib -= resources.memoryMib;
    this.diskMib -= resources.diskMib;
    if (isMacos) this.macos -= 1;
    return true;
  }
}
