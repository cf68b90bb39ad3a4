/**
 * One simulated Mac: Parallels Desktop with its VMs, and the service that speaks for it, as a model without I/O. Its methods
 * are the service's calls: they take the service's time and fail with its errors. Time, chance and the guests' insides
 * come in from outside, so that the same model runs behind a real socket, behind the agent's port, and in a simulation.
 * Beside the calls there are the knobs: `faults`, `person`, and the Mac's condition.
 */
import { type Clock, sleep } from "../shared/clock.ts";
import type { CachedImage } from "./cached-image.ts";
import { Configuration, type ConfigurationOperation } from "./configuration.ts";
import { type CommandResult, Executor } from "./executor.ts";
import { Faults } from "./faults.ts";
import { createTableGuests } from "./guest/command-table.ts";
import type { GuestWorld } from "./guest/guest-world.ts";
import { ImageCache } from "./image-cache.ts";
import type { Job } from "./job.ts";
import { Jobs } from "./jobs.ts";
import { freeDiskMib, type MacContext, requireDisk } from "./mac-context.ts";
import { MacEvents } from "./mac-events.ts";
import { type MacFacts, type MacOptions, resolveFacts } from "./mac-facts.ts";
import { Person } from "./person.ts";
import { Power } from "./power.ts";
import type { PowerVerb } from "./power-rules.ts";
import { type PullRequest, Pulls } from "./pulls.ts";
import { createRandom, deriveSeed, type Random } from "./random.ts";
import { type RegisterRequest, Registration } from "./registration.ts";
import { prlctlFailed, type ServiceError, serviceFailed, stateForbids, vmUnknown } from "./service-error.ts";
import type { Vm } from "./vm.ts";
import { VmShelf } from "./vm-shelf.ts";

/** What a restart of the service does to its jobs. */
export type RestartedJobs = "forgotten" | "failed";

/** Five minutes, as the real service. */
const defaultJobSilenceMs = 300_000;

export class SimulatedMac {
  readonly facts: MacFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly events = new MacEvents();
  readonly jobs: Jobs;
  /** What a person does at the Mac, and guests by themselves. */
  readonly person: Person;
  readonly #context: MacContext;
  readonly #power: Power;
  readonly #pulls: Pulls;
  readonly #configuration: Configuration;
  readonly #executor: Executor;
  readonly #registration: Registration;
  #isServiceUp = true;
  #wasLicensedAtStart = true;

  /** @param guests default: a table of commands, without sockets and processes. */
  constructor(options: MacOptions, clock: Clock, guests: GuestWorld = createTableGuests(clock)) {
    this.facts = resolveFacts(options);
    this.clock = clock;
    this.random = createRandom(deriveSeed(options.seed ?? 1, this.facts.index));
    const { random, events } = this;
    const silenceMs = options.jobSilenceMs ?? defaultJobSilenceMs;
    this.faults = new Faults({ clock, random, delays: this.facts.delays, failRates: options.failRates ?? {} });
    this.jobs = new Jobs({ clock, random, events, silenceMs });
    this.#context = {
      facts: this.facts,
      clock,
      random,
      faults: this.faults,
      events,
      vms: new VmShelf(random),
      cache: new ImageCache(events),
      jobs: this.jobs,
      guests,
      condition: { licence: "valid", diskUsedMib: options.diskUsedMib ?? 65_536, serviceStarts: 1 },
    };
    this.#power = new Power(this.#context);
    this.#pulls = new Pulls(this.#context, this.#power, silenceMs);
    this.#configuration = new Configuration(this.#context, this.#power);
    this.#executor = new Executor(this.#context, this.#power);
    this.#registration = new Registration(this.#context, this.#power);
    this.person = new Person(this.#context, this.#power);
    for (const vm of options.vms ?? []) this.person.createVm(vm);
  }

  /** Every VM as it is now, in the order in which they came: for checks, without a call. */
  get vms(): readonly Vm[] {
    return this.#context.vms.all();
  }

  /** As `vms`, by a call of the service. */
  async listVms(): Promise<readonly Vm[]> {
    await this.faults.pass("list");
    return this.#context.vms.all();
  }

  /**
   * One VM by id or name.
   * @throws ServiceError if there is none, but only after a long look.
   */
  async findVm(idOrName: string): Promise<Vm> {
    await this.faults.pass("get");
    return this.#find(idOrName);
  }

  /** As `findVm`, by asking Parallels Desktop itself. */
  async readStatus(idOrName: string): Promise<Vm> {
    await this.faults.pass("status");
    return this.#find(idOrName);
  }

  /** @throws ServiceError */
  async changeState(idOrName: string, verb: PowerVerb, force = false): Promise<Vm> {
    const vm = await this.#find(idOrName);
    await this.#power.change(vm, verb, force);
    return vm;
  }

  /** @param force stops the VM first if need be. @throws ServiceError */
  async deleteVm(idOrName: string, force: boolean): Promise<void> {
    const vm = await this.#find(idOrName);
    const isOff = vm.state === "stopped" || vm.state === "invalid";
    if (!isOff && !force) throw stateForbids("VM is not stopped");
    if (!isOff) await this.#power.change(vm, "stop", true);
    await this.faults.pass("delete");
    if (this.#context.vms.find(vm.id) !== vm) throw prlctlFailed("Failed to delete the VM: it is not registered.");
    if (vm.isPoweredOn) throw isRunning("delete");
    this.#power.remove(vm);
  }

  /**
   * Copies a VM. It is the source that gets a new MAC address: the copy keeps the one that both had.
   * @throws ServiceError
   */
  async cloneVm(idOrName: string, name: string): Promise<Vm> {
    const source = await this.#find(idOrName);
    if (source.isPoweredOn) throw isRunning("clone");
    requireDisk(this.#context, source.diskMib);
    await this.faults.pass("clone");
    const { vms, events } = this.#context;
    if (vms.find(name) !== undefined) throw nameTaken("clone", name);
    requireDisk(this.#context, source.diskMib);
    const { os, cpuCount, memoryMib, diskMib, macAddress } = source;
    const clone = vms.add({ name, os, cpuCount, memoryMib, diskMib }, { macAddress });
    events.emit({ type: "vm-added", vm: clone });
    source.macAddress = vms.newMacAddress();
    events.emit({ type: "vm-updated", vm: source });
    events.emit({ type: "disk-space-changed" });
    return clone;
  }

  /** @throws ServiceError the first of the operations' errors. */
  async configureVm(idOrName: string, operations: readonly ConfigurationOperation[]): Promise<void> {
    await this.#configuration.apply(await this.#find(idOrName), operations);
  }

  /** @throws ServiceError unless the VM is stopped. */
  async renameVm(idOrName: string, name: string, description = ""): Promise<Vm> {
    const vm = await this.#find(idOrName);
    if (vm.state !== "stopped") throw stateForbids("VM is not stopped");
    await this.faults.pass("rename");
    const other = this.#context.vms.find(name);
    if (other !== undefined && other !== vm) throw nameTaken("configure", name);
    vm.name = name;
    if (description !== "") vm.description = description;
    this.events.emit({ type: "vm-updated", vm });
    return vm;
  }

  /** @throws ServiceError */
  async registerVm(request: RegisterRequest): Promise<Vm> {
    return this.#registration.register(request);
  }

  /** @throws ServiceError */
  async unregisterVm(idOrName: string): Promise<void> {
    await this.#registration.unregister(await this.#find(idOrName));
  }

  /** @param command one line for the guest's shell. @throws ServiceError unless the VM runs. */
  async execute(
    idOrName: string,
    command: string,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    return this.#executor.execute(await this.#find(idOrName), command, variables);
  }

  /** Begins a pull under the caller's job id or one of its own; the same id again is the same job. */
  async beginCreate(request: PullRequest, jobId?: string): Promise<Job> {
    await this.faults.pass("create");
    return this.#pulls.begin(request, jobId);
  }

  /** Pulls, and resolves when the VM is there. @throws ServiceError */
  async create(request: PullRequest): Promise<Vm> {
    await this.faults.pass("create");
    return this.#pulls.run(request);
  }

  async cachedImages(): Promise<readonly CachedImage[]> {
    await this.faults.pass("cache");
    return this.#context.cache.all();
  }

  /** Removes all cached images, those of one catalog id, or one version. @throws ServiceError if there is none. */
  async removeCachedImages(catalogId?: string, version?: string): Promise<void> {
    await this.faults.pass("cache");
    const count = this.#context.cache.remove(catalogId, version);
    if (catalogId !== undefined && count === 0) throw serviceFailed(404, `cache item ${catalogId} not found`);
  }

  /** How much of the disk is free, in MiB. */
  get diskFreeMib(): number {
    return freeDiskMib(this.#context);
  }

  /** The licence in the words of Parallels Desktop; a VM is only switched on while it is "valid". */
  get licence(): string {
    return this.#context.condition.licence;
  }

  /** Whether the service takes Parallels Desktop for licensed: it looks once, when it starts. */
  get wasLicensedAtStart(): boolean {
    return this.#wasLicensedAtStart;
  }

  setLicence(state: string): void {
    this.#context.condition.licence = state;
  }

  /** Someone fills the disk until only so much is free, in MiB, or makes room again. */
  setDiskFree(freeMib: number): void {
    const { condition } = this.#context;
    condition.diskUsedMib += this.diskFreeMib - freeMib;
    this.events.emit({ type: "disk-space-changed" });
  }

  get isServiceUp(): boolean {
    return this.#isServiceUp;
  }

  /** The service stops answering; what it forgets, `restartService` says. */
  takeServiceDown(): void {
    if (!this.#isServiceUp) return;
    this.#isServiceUp = false;
    this.events.emit({ type: "service-down" });
  }

  bringServiceUp(): void {
    if (this.#isServiceUp) return;
    this.#isServiceUp = true;
    this.events.emit({ type: "service-up" });
  }

  /**
   * The service starts anew: its pulls end; VMs and what `prlctl` does go on. Its jobs are forgotten, as when it was killed
   * before it had saved them; or those under way are failed, as when it finds them again.
   */
  restartService(jobs: RestartedJobs = "forgotten"): void {
    this.#context.condition.serviceStarts += 1;
    this.#wasLicensedAtStart = this.licence === "valid";
    if (jobs === "forgotten") this.jobs.forgetAll();
    else this.jobs.failRunning();
    this.events.emit({ type: "service-restarted" });
  }

  /** Ends the guests with all that they run. */
  async close(): Promise<void> {
    this.jobs.forgetAll();
    this.#context.condition.serviceStarts += 1;
    await this.#context.guests.close();
  }

  /** Looks again, for long, before it denies a VM: every call that names one does. */
  async #find(idOrName: string): Promise<Vm> {
    const vm = this.#context.vms.find(idOrName);
    if (vm !== undefined) return vm;
    const lookMs = this.faults.draw("unknownVm");
    if (lookMs > 0) await sleep(this.clock, lookMs);
    const late = this.#context.vms.find(idOrName);
    if (late === undefined) throw vmUnknown();
    return late;
  }
}

function nameTaken(verb: string, name: string): ServiceError {
  return prlctlFailed(`Failed to ${verb} the VM: a virtual machine named ${name} already exists.`, "name-taken");
}

function isRunning(verb: string): ServiceError {
  return prlctlFailed(`Failed to ${verb} the VM: the virtual machine is running.`, "state-forbids");
}
