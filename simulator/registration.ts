/** Takes VMs off Parallels Desktop's list and puts them back on, while their files stay where they are. */
import type { MacContext } from "./mac-context.ts";
import { vmHome } from "./mac-facts.ts";
import type { Power } from "./power.ts";
import { prlctlFailed, ServiceError } from "./service-error.ts";
import type { Vm } from "./vm.ts";

/** Files beyond this many are forgotten, the oldest first. */
const unregisteredCountMax = 1_000;

export interface RegisterRequest {
  /** The VM's folder. */
  readonly path: string;
  /** Default: a new one. */
  readonly id?: string;
  /** Default: the name that it has. */
  readonly name?: string;
}

export class Registration {
  readonly #context: MacContext;
  readonly #power: Power;
  /** By folder. */
  readonly #unregistered = new Map<string, Vm>();

  constructor(context: MacContext, power: Power) {
    this.#context = context;
    this.#power = power;
  }

  /** @throws ServiceError if nothing is there, or its id or name is taken. The VM gets a new MAC address. */
  async register(request: RegisterRequest): Promise<Vm> {
    const { vms } = this.#context;
    for (const taken of [request.id, request.name]) {
      if (taken === undefined || vms.find(taken) === undefined) continue;
      throw new ServiceError(400, `error: VM with ${taken === request.id ? "UUID" : "name"} ${taken} already exists`);
    }
    await this.#context.faults.pass("register");
    const path = request.path.replace(/\/+$/, "");
    const files = this.#unregistered.get(path);
    if (files === undefined) throw prlctlFailed(`Failed to register the VM: ${path} is not a virtual machine.`);
    this.#unregistered.delete(path);
    const { os, cpuCount, memoryMib, diskMib } = files;
    const vm = vms.add(
      { name: request.name ?? files.name, os, cpuCount, memoryMib, diskMib },
      request.id === undefined ? {} : { id: request.id },
    );
    this.#context.events.emit({ type: "vm-added", vm });
    return vm;
  }

  /** @throws ServiceError if the VM is on. */
  async unregister(vm: Vm): Promise<void> {
    if (vm.isPoweredOn) throw prlctlFailed("Failed to unregister the VM: the virtual machine is running.");
    await this.#context.faults.pass("unregister");
    if (this.#unregistered.size >= unregisteredCountMax) {
      const [oldest] = this.#unregistered.keys();
      if (oldest !== undefined) this.#unregistered.delete(oldest);
    }
    this.#unregistered.set(vmFolder(vm), vm);
    this.#power.remove(vm);
  }
}

/** The folder of a VM's files; macOS guests on Apple silicon have a format of their own. */
export function vmFolder(vm: Vm): string {
  return `${vmHome}/${vm.name}.${vm.isMacosGuest ? "macvm" : "pvm"}`;
}
