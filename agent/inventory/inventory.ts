/**
 * What is on this Mac, as far as the agent knows, and how much of it the server has still to be told. Events and lists come
 * in; inventories for the link come out, each with the next number of this agent's run. Changes of one VM that wait to be
 * sent are one change: what waits never grows beyond what is on the Mac.
 *
 * A list that was begun before an event came must not undo the event, so each list says how far the events had come when it
 * was begun. This module does no I/O; `host-watch.ts` feeds it.
 */
import { isDeepStrictEqual } from "node:util";
import type { HostVm, Inventory as InventoryMessage } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CachedManifest, ParallelsVm } from "../parallels/api.ts";
import { areSameImages, isSameVm, toCachedImage, toHostVm } from "./host-vm.ts";

/** How many events had been applied at some moment. */
export type EventMark = number;

/** VMs whose events are remembered until the next list. More than any Mac has; the oldest are forgotten first, which costs
 * at most one list that is a moment behind. */
const touchedMax = 4096;

export class Inventory {
  readonly #vms = new Map<string, ParallelsVm>();
  /** VMs that events have touched, with the event's number. */
  readonly #touched = new Map<string, EventMark>();
  readonly #changedIds = new Set<string>();
  readonly #removedIds = new Set<string>();
  #images: readonly CachedManifest[] = [];
  #haveImagesChanged = false;
  #events: EventMark = 0;
  #changeCount = 0;
  #isKnown = false;
  #isWholeWanted = true;
  #sequence = 0;

  /** Whether the Mac has been listed at least once. Before that nothing is told: an empty inventory would say that every
   * VM is gone. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** The number of the inventory that was taken last; 0 before the first. */
  get sequence(): number {
    return this.#sequence;
  }

  vms(): Iterable<ParallelsVm> {
    return this.#vms.values();
  }

  find(vmId: string): ParallelsVm | undefined {
    return this.#vms.get(vmId);
  }

  /** To be taken when a list is begun and handed over with its result. */
  mark(): EventMark {
    return this.#events;
  }

  /** Takes over a list of everything, except for VMs that events touched after `mark`. Whether that was news. */
  applyList(vms: readonly ParallelsVm[], mark: EventMark): boolean {
    const isFirst = !this.#isKnown;
    const countBefore = this.#changeCount;
    const listed = new Set<string>();
    for (const vm of vms) {
      listed.add(vm.id);
      if (!this.#isTouchedSince(vm.id, mark)) this.#put(vm);
    }
    for (const vmId of this.#vms.keys()) {
      if (!listed.has(vmId) && !this.#isTouchedSince(vmId, mark)) this.#drop(vmId);
    }
    for (const [vmId, touched] of this.#touched) if (touched <= mark) this.#touched.delete(vmId);
    this.#isKnown = true;
    return isFirst || this.#changeCount !== countBefore;
  }

  /** Whether an event touched a VM after `mark`, so that a list begun then does not tell the whole truth. */
  hasEventsSince(mark: EventMark): boolean {
    return this.#events > mark;
  }

  /** Takes over a listing of the cache. Whether that was news. */
  applyImages(images: readonly CachedManifest[]): boolean {
    if (areSameImages(this.#images, images)) return false;
    this.#images = images;
    this.#haveImagesChanged = true;
    return true;
  }

  /** A VM was added or has changed. */
  applyVm(vm: ParallelsVm): void {
    this.#touch(vm.id);
    this.#put(vm);
  }

  /** A VM has another state. False: the VM is not known, a list is needed. */
  applyState(vmId: string, state: string): boolean {
    const vm = this.#vms.get(vmId);
    if (vm === undefined) return false;
    this.#touch(vmId);
    this.#put({ ...vm, state });
    return true;
  }

  /** A VM is gone. */
  applyRemoval(vmId: string): void {
    this.#touch(vmId);
    this.#drop(vmId);
  }

  /** The server is told of a VM by other ways, perhaps late: if the VM is another by now, the next inventory tells it again. */
  correct(told: HostVm): void {
    const vm = this.#vms.get(told.id);
    if (vm === undefined) this.#removedIds.add(told.id);
    else if (!isDeepStrictEqual(toHostVm({ ...vm, uptimeSeconds: told.uptimeSeconds }), told))
      this.#changedIds.add(told.id);
  }

  /** The next inventory is to be a whole one. */
  wantWhole(): void {
    this.#isWholeWanted = true;
  }

  /** Whether `take` would give something. */
  get isWaiting(): boolean {
    if (!this.#isKnown) return false;
    return this.#isWholeWanted || this.#changedIds.size > 0 || this.#removedIds.size > 0 || this.#haveImagesChanged;
  }

  /** The inventory to send next, if there is something to tell; from now on it counts as sent. */
  take(): InventoryMessage | undefined {
    if (!this.isWaiting) return undefined;
    const isWhole = this.#isWholeWanted;
    const vms = isWhole ? [...this.#vms.values()] : this.#changedVms();
    const message: InventoryMessage = {
      sequence: ++this.#sequence,
      whole: isWhole,
      vms: vms.map(toHostVm),
      removedIds: isWhole ? [] : [...this.#removedIds],
      images: isWhole || this.#haveImagesChanged ? this.#images.map(toCachedImage) : [],
      imagesChanged: isWhole || this.#haveImagesChanged,
    };
    this.#isWholeWanted = false;
    this.#changedIds.clear();
    this.#removedIds.clear();
    this.#haveImagesChanged = false;
    return message;
  }

  #changedVms(): readonly ParallelsVm[] {
    return [...this.#changedIds].flatMap((vmId) => this.#vms.get(vmId) ?? []);
  }

  #isTouchedSince(vmId: string, mark: EventMark): boolean {
    return (this.#touched.get(vmId) ?? 0) > mark;
  }

  #touch(vmId: string): void {
    this.#events += 1;
    this.#touched.delete(vmId);
    this.#touched.set(vmId, this.#events);
    const oldest = this.#touched.keys().next();
    if (this.#touched.size > touchedMax && oldest.done !== true) this.#touched.delete(oldest.value);
  }

  #put(vm: ParallelsVm): void {
    const before = this.#vms.get(vm.id);
    this.#vms.set(vm.id, vm);
    if (before !== undefined && isSameVm(before, vm)) return;
    this.#changeCount += 1;
    this.#removedIds.delete(vm.id);
    this.#changedIds.add(vm.id);
  }

  #drop(vmId: string): void {
    if (!this.#vms.delete(vmId)) return;
    this.#changeCount += 1;
    this.#changedIds.delete(vmId);
    this.#removedIds.add(vmId);
  }
}
