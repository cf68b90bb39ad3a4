/**
 * The states of VMs and the verbs that change them, with the rules of the service (what it refuses before it calls
 * `prlctl`) and of Parallels Desktop (what `prlctl` refuses). A change is told in the order of the real one: the passing
 * state at once, the new one when it is reached, a little later the whole VM and the running macOS VMs, and after the boot
 * the VM with its address.
 */
import { guestAddress } from "./guest/guest-address.ts";
import type { Guest } from "./guest/guest-world.ts";
import type { MacContext } from "./mac-context.ts";
import { type PowerRule, type PowerVerb, powerRules } from "./power-rules.ts";
import { prlctlFailed, stateForbids } from "./service-error.ts";
import type { Vm, VmState } from "./vm.ts";

export class Power {
  readonly #context: MacContext;

  constructor(context: MacContext) {
    this.#context = context;
  }

  /**
   * Does what a call of the service asks for; resolves when it is done.
   * @param force only for "stop".
   * @throws ServiceError
   */
  async change(vm: Vm, verb: PowerVerb, force = false): Promise<void> {
    const rule = powerRules[verb];
    if (rule.alreadyDone.includes(vm.state)) return;
    if (!rule.serviceAllows.includes(vm.state) && !(verb === "stop" && force)) throw stateForbids(rule.refusal);
    this.#askParallels(vm, verb, force);
    const before = vm.state;
    this.setState(vm, rule.passing);
    try {
      await this.#context.faults.pass(verb);
    } catch (error) {
      // Unless something else happened to it meanwhile, it is as before.
      if (vm.state === rule.passing) this.setState(vm, before);
      throw error;
    }
    if (vm.state !== rule.passing) throw prlctlFailed(`Failed to ${verb} the VM: the operation was cancelled`);
    this.settle(vm, rule.reached);
  }

  /**
   * Brings a VM into a lasting state, however it got there, with all that follows.
   * @param bootMs until its guest has an address, if it is switched on.
   */
  settle(vm: Vm, state: PowerRule["reached"], bootMs = this.#context.faults.draw("boot")): void {
    // From a pause the guest goes on as it was; from anywhere else it boots.
    const boots = state === "running" && !(vm.state === "resuming" && vm.address !== "");
    if (state === "stopped" || state === "suspended") this.#shutDown(vm);
    this.setState(vm, state);
    if (boots) this.#boot(vm, bootMs);
    this.#tellWholeVm(vm);
  }

  /** Takes a VM off the Mac, with its guest. */
  remove(vm: Vm): void {
    this.#shutDown(vm);
    this.#context.vms.remove(vm);
    this.#context.guests.remove(vm.id);
    this.#context.events.emit({ type: "vm-removed", vmId: vm.id });
    this.#context.events.emit({ type: "disk-space-changed" });
  }

  setState(vm: Vm, state: VmState): void {
    const previousState = vm.state;
    if (previousState === state) return;
    vm.state = state;
    this.#context.events.emit({ type: "vm-state-changed", vm, previousState, currentState: state });
  }

  /** What `prlctl` refuses though the service let it pass. */
  #askParallels(vm: Vm, verb: PowerVerb, force: boolean): void {
    if (verb === "stop" && force) {
      if (vm.state === "paused")
        throw prlctlFailed("Failed to stop the VM: the VM is paused. Resume it and try again.", "state-forbids");
      if (vm.state !== "running" && vm.state !== "suspended") throw isBusy(verb);
    }
    if (verb === "reset" && vm.state !== "running") throw isBusy(verb);
    const turnsOn = verb === "start" || (verb === "resume" && vm.state === "suspended");
    if (!turnsOn) return;
    const { licence } = this.#context.condition;
    if (licence !== "valid") {
      throw prlctlFailed(`Failed to ${verb} the VM: the license of Parallels Desktop is not valid (${licence}).`);
    }
    if (vm.isMacosGuest && this.#macosGuestsOn() >= this.#context.facts.macosGuestMax) {
      throw prlctlFailed(
        `Failed to ${verb} the VM: The number of virtual machines exceeds the limit. ` +
          "The maximum supported number of active virtual machines has been reached.",
        "macos-limit",
      );
    }
  }

  #macosGuestsOn(): number {
    let count = 0;
    for (const vm of this.#context.vms) if (vm.isMacosGuest && vm.isPoweredOn) count += 1;
    return count;
  }

  #boot(vm: Vm, bootMs: number): void {
    const { clock } = this.#context;
    this.#shutDown(vm);
    vm.bootCount += 1;
    vm.runningSinceMs = clock.monotonicMs();
    const boot = vm.bootCount;
    if (bootMs <= 0) this.#arrive(vm, boot);
    else clock.after(bootMs, () => this.#arrive(vm, boot));
  }

  /** The guest is up: it opens its ports and gets its address. */
  #arrive(vm: Vm, boot: number): void {
    const isStillOn = (): boolean => vm.bootCount === boot && vm.isPoweredOn;
    if (!isStillOn() || !vm.getsAddress) return;
    const guest = this.guestOf(vm);
    const opened = vm.answersProbes ? this.#context.guests.boot(guest) : Promise.resolve();
    // `boot` never rejects; a guest that was stopped meanwhile gets no address.
    void opened.then(() => {
      if (!isStillOn()) {
        if (vm.bootCount === boot) this.#context.guests.shutDown(vm.id);
        return;
      }
      vm.address = guest.address;
      this.#context.events.emit({ type: "vm-updated", vm });
    });
  }

  #shutDown(vm: Vm): void {
    vm.bootCount += 1;
    vm.address = "";
    this.#context.guests.shutDown(vm.id);
  }

  #tellWholeVm(vm: Vm): void {
    const { clock, events, faults, vms } = this.#context;
    const tell = (): void => {
      if (vms.find(vm.id) !== vm) return;
      events.emit({ type: "vm-updated", vm });
      const vmIds = vms.all().filter((other) => other.countsAsMacos && other.state === "running");
      events.emit({ type: "macos-vms-running", vmIds: vmIds.map((other) => other.id) });
    };
    const delayMs = faults.draw("vmUpdate");
    if (delayMs <= 0) tell();
    else clock.after(delayMs, tell);
  }

  /** The guest of a VM, with the address that is or will be its own. */
  guestOf(vm: Vm): Guest {
    const { index, architecture } = this.#context.facts;
    return { vmId: vm.id, os: vm.os, architecture, address: guestAddress(index, vm.slot) };
  }
}

function isBusy(verb: PowerVerb): Error {
  return prlctlFailed(
    `Failed to ${verb} the VM: the operation is not allowed in the current state of the VM`,
    "state-forbids",
  );
}
