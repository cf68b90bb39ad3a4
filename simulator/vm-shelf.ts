/** The VMs of one Mac: found by id or name, each with an id, a MAC address and a slot of its own. */
import type { Random } from "./random.ts";
import { prlctlFailed } from "./service-error.ts";
import { Vm, type VmDescription } from "./vm.ts";

/** As many guests as a Mac has addresses for; ten bits of each address. */
export const slotCountMax = 1_022;

export class VmShelf {
  readonly #random: Random;
  readonly #byId = new Map<string, Vm>();
  #lastSlot = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** In the order in which they were made. */
  all(): readonly Vm[] {
    return [...this.#byId.values()];
  }

  [Symbol.iterator](): IterableIterator<Vm> {
    return this.#byId.values();
  }

  /** By id or name, in any case, as the service does it. */
  find(idOrName: string): Vm | undefined {
    const exact = this.#byId.get(idOrName);
    if (exact !== undefined) return exact;
    const wanted = idOrName.toLowerCase();
    for (const vm of this.#byId.values()) {
      if (vm.id.toLowerCase() === wanted || vm.name.toLowerCase() === wanted) return vm;
    }
    return undefined;
  }

  /** Makes a VM; `copied` carries what a copy keeps of its source, or a registration of its files. */
  add(description: VmDescription, copied: { readonly id?: string; readonly macAddress?: string } = {}): Vm {
    const vm = new Vm(description, {
      id: copied.id ?? this.#random.uuid(),
      macAddress: copied.macAddress ?? this.newMacAddress(),
      slot: this.#takeSlot(),
    });
    this.#byId.set(vm.id, vm);
    return vm;
  }

  remove(vm: Vm): void {
    this.#byId.delete(vm.id);
  }

  /** Twelve hex digits under Parallels' own prefix. */
  newMacAddress(): string {
    return `001C42${this.#random.hex(6).toUpperCase()}`;
  }

  /** The next free one after the last given out, so that an address is not used again at once. */
  #takeSlot(): number {
    if (this.#byId.size >= slotCountMax) throw prlctlFailed("The maximum number of virtual machines has been reached.");
    const taken = new Set(this.all().map((vm) => vm.slot));
    do this.#lastSlot = (this.#lastSlot % slotCountMax) + 1;
    while (taken.has(this.#lastSlot));
    return this.#lastSlot;
  }
}
