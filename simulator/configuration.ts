/**
 * Changes what a VM is made of, as the service's "set" does: a list of operations, all of which are tried; the first error
 * is the answer. Also what a custom command of `prlctl set` can change.
 */
import type { MacContext } from "./mac-context.ts";
import type { Power } from "./power.ts";
import { type PowerVerb, powerRules } from "./power-rules.ts";
import { prlctlFailed, ServiceError, serviceFailed, stateForbids } from "./service-error.ts";
import type { Vm } from "./vm.ts";

export interface ConfigurationOperation {
  readonly group: string;
  readonly operation: string;
  readonly value: string;
  /** Each becomes `--flag value`. */
  readonly options: readonly { readonly flag: string; readonly value: string }[];
}

export class Configuration {
  readonly #context: MacContext;
  readonly #power: Power;

  constructor(context: MacContext, power: Power) {
    this.#context = context;
    this.#power = power;
  }

  /** @throws ServiceError the first of the operations' errors. */
  async apply(vm: Vm, operations: readonly ConfigurationOperation[]): Promise<void> {
    let firstError: unknown;
    let isChanged = false;
    for (const operation of operations) {
      try {
        await this.#applyOne(vm, operation);
        isChanged = true;
      } catch (error) {
        firstError ??= error;
      }
    }
    // One that was removed meanwhile is told of no more.
    if (isChanged && this.#context.vms.find(vm.id) === vm) this.#context.events.emit({ type: "vm-updated", vm });
    if (firstError !== undefined) throw firstError;
  }

  async #applyOne(vm: Vm, operation: ConfigurationOperation): Promise<void> {
    const { group, value } = operation;
    if (group === "state") {
      await this.#power.change(vm, toPowerVerb(operation.operation));
      return;
    }
    if (["cpu", "memory", "cmd", "rosetta"].includes(group) && vm.state !== "stopped") {
      throw stateForbids("VM is not stopped");
    }
    await this.#context.faults.pass("configure");
    switch (group) {
      case "cpu":
        if (operation.operation === "set") vm.cpuCount = toCount(value, vm.cpuCount);
        return;
      case "memory":
        vm.memoryMib = toCount(value, vm.memoryMib);
        return;
      case "machine":
        // The service puts quotes around the name, and `prlctl` keeps them.
        if (operation.operation === "rename") vm.name = `"${value}"`;
        return;
      case "cmd":
        if (operation.operation === "set") this.#setByPrlctl(vm, operation);
        return;
      case "device":
        if (operation.operation === "set") this.#setDevice(vm, value, operation);
        return;
      default:
        // Boot order, clock, folders, network and the like are accepted and not simulated.
        return;
    }
  }

  #setByPrlctl(vm: Vm, operation: ConfigurationOperation): void {
    const optionOf = (name: string): string | undefined =>
      operation.options.find((option) => option.flag.replace(/^--/, "") === name)?.value;
    const device = optionOf("device-set");
    if (device !== undefined) this.#setDevice(vm, device, operation);
    vm.cpuCount = toCount(optionOf("cpus") ?? "auto", vm.cpuCount);
    vm.memoryMib = toCount(optionOf("memsize") ?? "auto", vm.memoryMib);
    vm.name = optionOf("name") ?? vm.name;
    vm.description = optionOf("description") ?? vm.description;
  }

  #setDevice(vm: Vm, device: string, operation: ConfigurationOperation): void {
    const macAddress = operation.options.find((option) => option.flag.replace(/^--/, "") === "mac")?.value;
    if (device !== "net0") throw prlctlFailed(`Failed to configure the VM: there is no device ${device}`);
    if (macAddress === undefined) return;
    if (macAddress === "auto") vm.macAddress = this.#context.vms.newMacAddress();
    else if (/^[0-9A-Fa-f]{12}$/.test(macAddress)) vm.macAddress = macAddress.toUpperCase();
    else throw prlctlFailed(`Failed to configure the VM: invalid MAC address ${macAddress}`);
  }
}

function toPowerVerb(operation: string): PowerVerb {
  if (Object.hasOwn(powerRules, operation)) {
    // Only the rules' own keys get here.
    return operation as PowerVerb;
  }
  throw serviceFailed(400, `operation ${operation} not supported on group state`);
}

/** A whole number of the service's; "auto" leaves it as it is. */
function toCount(value: string, present: number): number {
  if (value === "auto") return present;
  // A plain Go error, so 404.
  if (!/^[+-]?\d+$/.test(value)) throw new ServiceError(404, `strconv.Atoi: parsing "${value}": invalid syntax`);
  const count = Number(value);
  if (count < 1) throw prlctlFailed(`Failed to configure the VM: invalid value ${value}`);
  return count;
}
