/**
 * Which VMs give way to one that waits: on one host, as few as will do, then those of the lowest priority, then the youngest.
 * Only VMs that are marked preemptible, and whose priority as it was written is lower. A pure function of the pool.
 */
import type { HostId } from "../../shared/ids.ts";
import { exactVictimsMax } from "../pool/limits.ts";
import { canGiveWay } from "../pool/preemption.ts";
import type { Shape } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import { candidateOf, refusingFilter } from "./filters.ts";
import { isPassing, Room } from "./room.ts";

/** A VM that waits, and its shape. */
export interface Need {
  readonly vm: VmRecord;
  readonly shape: Shape;
}

export interface Victims {
  readonly host: HostId;
  /** None: what the VM needs is free there, or comes free by itself. */
  readonly vms: readonly VmRecord[];
}

/** The victims on the best of the hosts, or nothing if no victims would do. */
export function chooseVictims(view: PoolView, need: Need, hosts: Iterable<HostId>): Victims | undefined {
  let best: Victims | undefined;
  for (const host of hosts) {
    const vms = victimsOn(view, need, host);
    if (vms === undefined) continue;
    if (vms.length === 0) return { host, vms };
    if (best === undefined || isLess({ host, vms }, best)) best = { host, vms };
  }
  return best;
}

/** The victims on one host: none if there is room, or will be; nothing if no victims would do. */
export function victimsOn(view: PoolView, { vm, shape }: Need, id: HostId): readonly VmRecord[] | undefined {
  const host = view.hosts.get(id);
  if (host === undefined) return undefined;
  const candidate = candidateOf(view, host);
  const { reservation } = candidate.ledger;
  if (reservation !== undefined && reservation.vm !== vm.id) return undefined;
  const refusal = refusingFilter(candidate, shape);
  if (refusal !== undefined && !isPassing(refusal.name)) return undefined;
  const room = new Room(candidate, shape);
  const possible: VmRecord[] = [];
  for (const other of view.vmsOn(id)) {
    const there = view.vms.get(other);
    if (there === undefined) continue;
    if (isComingFree(there)) room.free(there);
    else if (canGiveWay(there) && there.spec.priority < vm.spec.priority) possible.push(there);
  }
  if (room.fits) return [];
  for (const each of possible) room.free(each);
  if (!room.fits) return undefined;
  for (const each of possible) room.free(each, -1);
  possible.sort(compareVictims);
  return possible.length <= exactVictimsMax ? fewest(room, possible) : greedy(room, possible);
}

/** Of what has been tried before to remove, nobody knows when it will be gone. */
function isComingFree({ notice, spec, retryCount }: VmRecord): boolean {
  return (notice !== undefined || spec.wanted === "deleted") && retryCount === 0;
}

/** The one that gives way rather than the other comes first: of the lowest priority, then the youngest, then by name. */
export function compareVictims(a: VmRecord, b: VmRecord): number {
  if (a.spec.priority !== b.spec.priority) return a.spec.priority - b.spec.priority;
  if (a.createTimeMs !== b.createTimeMs) return b.createTimeMs - a.createTimeMs;
  return a.id < b.id ? -1 : 1;
}

/** Every choice of one, then of two, and so on; of equally many the best. */
function fewest(room: Room, possible: readonly VmRecord[]): readonly VmRecord[] | undefined {
  for (let size = 1; size <= possible.length; size += 1) {
    let best: readonly VmRecord[] | undefined;
    for (const choice of choices(possible, size)) {
      if (!fitsWithout(room, choice)) continue;
      if (best === undefined || compareChoices(choice, best) < 0) best = choice;
    }
    if (best !== undefined) return best;
  }
  return undefined;
}

/** One after the other until it fits; then those stay that need not go, the most valuable first. */
function greedy(room: Room, possible: readonly VmRecord[]): readonly VmRecord[] {
  let chosen: VmRecord[] = [];
  for (const each of possible) {
    if (fitsWithout(room, chosen)) break;
    chosen.push(each);
  }
  for (const each of [...chosen].reverse()) {
    const others = chosen.filter((other) => other !== each);
    if (fitsWithout(room, others)) chosen = others;
  }
  return chosen;
}

function fitsWithout(room: Room, gone: readonly VmRecord[]): boolean {
  for (const each of gone) room.free(each);
  const { fits } = room;
  for (const each of gone) room.free(each, -1);
  return fits;
}

/** All choices of so many, in the order of those that they are made of. */
function* choices(of: readonly VmRecord[], size: number, from = 0): Iterable<readonly VmRecord[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let index = from; index <= of.length - size; index += 1) {
    const first = of[index];
    if (first === undefined) continue;
    for (const others of choices(of, size - 1, index + 1)) yield [first, ...others];
  }
}

function isLess(a: Victims, b: Victims): boolean {
  if (a.vms.length !== b.vms.length) return a.vms.length < b.vms.length;
  const order = compareChoices(a.vms, b.vms);
  return order === 0 ? a.host < b.host : order < 0;
}

/** Of choices of equally many: by the highest priority among them, then by the next, and so on; then by age in the same way. */
function compareChoices(a: readonly VmRecord[], b: readonly VmRecord[]): number {
  return (
    compareFromLast(a, b, ({ spec }) => spec.priority) || compareFromLast(a, b, ({ createTimeMs }) => -createTimeMs)
  );
}

/** Both are in the order of `compareVictims`, so that the most valuable stand last. */
function compareFromLast(a: readonly VmRecord[], b: readonly VmRecord[], valueOf: (vm: VmRecord) => number): number {
  for (let index = a.length - 1; index >= 0; index -= 1) {
    const [mine, other] = [a[index], b[index]];
    const difference = mine === undefined || other === undefined ? 0 : valueOf(mine) - valueOf(other);
    if (difference !== 0) return difference;
  }
  return 0;
}
