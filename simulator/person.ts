/**
 * A person at the Mac, and the guests' own doings: what happens without the service having been asked. It is done at once,
 * without delays and faults, and told by the same events.
 */

import { required } from "../shared/assert.ts";
import type { MacContext } from "./mac-context.ts";
import type { Power } from "./power.ts";
import type { Vm, VmDescription } from "./vm.ts";

export class Person {
  readonly #context: MacContext;
  readonly #power: Power;

  constructor(context: MacContext, power: Power) {
    this.#context = context;
    this.#power = power;
  }

  /** One that is described as running has booted long ago. */
  createVm(description: VmDescription): Vm {
    const { state, ...rest } = description;
    const vm = this.#context.vms.add(rest);
    this.#context.events.emit({ type: "vm-added", vm });
    if (state === "invalid") this.#power.setState(vm, "invalid");
    if (state === "running" || state === "paused" || state === "suspended") this.#power.settle(vm, state, 0);
    return vm;
  }

  startVm(idOrName: string): void {
    const vm = this.vm(idOrName);
    if (vm.state === "running") return;
    this.#power.setState(vm, "starting");
    this.#power.settle(vm, "running");
  }

  stopVm(idOrName: string): void {
    const vm = this.vm(idOrName);
    if (vm.state === "stopped") return;
    this.#power.setState(vm, "stopping");
    this.#power.settle(vm, "stopped");
  }

  renameVm(idOrName: string, name: string): void {
    const vm = this.vm(idOrName);
    vm.name = name;
    this.#context.events.emit({ type: "vm-updated", vm });
  }

  deleteVm(idOrName: string): void {
    const vm = this.vm(idOrName);
    if (vm.state !== "stopped") this.stopVm(vm.id);
    this.#power.remove(vm);
  }

  /** The guest switches itself off, as by `shutdown` inside. */
  shutGuestDown(idOrName: string): void {
    this.stopVm(idOrName);
  }

  /** From its next boot on the guest never gets an address; one that it has is lost. */
  withholdAddress(idOrName: string): void {
    const vm = this.vm(idOrName);
    vm.getsAddress = false;
    if (vm.address === "") return;
    vm.address = "";
    this.#context.guests.shutDown(vm.id);
    this.#context.events.emit({ type: "vm-updated", vm });
  }

  /** The guest answers neither commands nor connections any more, though it runs. */
  muteGuest(idOrName: string): void {
    const vm = this.vm(idOrName);
    vm.answersProbes = false;
    this.#context.guests.shutDown(vm.id);
  }

  /** The VM, which must be there. */
  vm(idOrName: string): Vm {
    return required(this.#context.vms.find(idOrName), `VM ${idOrName} on ${this.#context.facts.name}`);
  }
}
