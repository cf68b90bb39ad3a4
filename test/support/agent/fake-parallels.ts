/**
 * A Mac in memory behind the agent's port: VMs that obey the real rules of states, jobs that a test moves on, events that a test
 * may hold back, and calls that a test may make fail. Every call is noted in `calls`.
 */
import type {
  CachedManifest,
  CachedVersion,
  ChangeStateOptions,
  CreateFromCatalog,
  DiskSpace,
  ExecuteRequest,
  ExecuteResult,
  HostHardware,
  Licence,
  ParallelsApi,
  ParallelsJob,
  ParallelsListener,
  ParallelsVm,
  StateVerb,
  VmConfiguration,
} from "../../../agent/parallels/api.ts";
import { ParallelsError, type ParallelsErrorKind } from "../../../agent/parallels/api.ts";

type Method = Exclude<keyof ParallelsApi, "subscribe" | "close">;

export interface Call {
  readonly method: Method;
  readonly target: string;
  readonly detail: string;
}

/** What a call does instead of, or before, its work. */
export type Interference = (call: Call, signal: AbortSignal | undefined) => Promise<void> | void;

export class FakeParallels implements ParallelsApi {
  readonly vms = new Map<string, ParallelsVm>();
  readonly jobs = new Map<string, ParallelsJob>();
  readonly begun: CreateFromCatalog[] = [];
  readonly calls: Call[] = [];
  images: CachedManifest[] = [];
  /** Whether it accepts the removal of an image and does not do it. */
  keepsImages = false;
  hardware: HostHardware = {
    architecture: "arm64",
    chip: "Apple M2 Pro",
    osVersion: "15.5",
    parallelsVersion: "20.3.0",
    serviceVersion: "1.0.5",
    isLicensed: true,
    address: "203.0.113.10",
    totalCpuCount: 12,
    totalMemoryMib: 32_768,
    reservedCpuCount: 1,
    reservedMemoryMib: 2_048,
    reservedDiskMib: 20_000,
  };
  disk: DiskSpace = { freeMib: 500_000, totalMib: 994_662 };
  licence: Licence = { state: "valid", isValid: true, hardwareId: "hardware-1" };
  /** Whether events reach the listeners. */
  areEventsOn = true;
  /** The answer of the guests. */
  onExecute: (request: ExecuteRequest) => Promise<ExecuteResult> | ExecuteResult = () => ({
    stdout: "",
    stderr: "",
    exitCode: 0,
  });
  /** Called before every call does its work; throws to make it fail. */
  interfere: Interference = () => undefined;
  isClosed = false;
  readonly #listeners = new Set<ParallelsListener>();
  #made = 0;

  /** Puts a VM there, without an event. */
  addVm(vm: Partial<ParallelsVm> & { readonly name: string }): ParallelsVm {
    const complete: ParallelsVm = {
      id: `vm-${++this.#made}`,
      state: "stopped",
      os: "ubuntu",
      isMacos: false,
      cpuCount: 2,
      memoryMib: 4_096,
      diskMib: 65_536,
      ipAddresses: [],
      uptimeSeconds: 0,
      ...vm,
    };
    this.vms.set(complete.id, complete);
    return complete;
  }

  vmNamed(name: string): ParallelsVm | undefined {
    return [...this.vms.values()].find((vm) => vm.name === name);
  }

  /** Changes a VM and says so by an event. */
  changeVm(vmId: string, change: Partial<ParallelsVm>): void {
    const vm = this.#get(vmId);
    this.vms.set(vmId, { ...vm, ...change });
    if (change.state !== undefined) this.emit((listener) => listener.onStateChanged(vmId, change.state ?? ""));
    else this.emit((listener) => listener.onVmChanged({ ...vm, ...change }));
  }

  /** Moves a job on and says so by an event. */
  moveJob(jobId: string, change: Partial<ParallelsJob>): void {
    const job: ParallelsJob = { ...newJob(jobId), ...this.jobs.get(jobId), ...change };
    this.jobs.set(jobId, job);
    this.emit((listener) => listener.onJob(job));
  }

  emit(say: (listener: ParallelsListener) => void): void {
    if (this.areEventsOn) for (const listener of this.#listeners) say(listener);
  }

  /** The event socket comes or goes. */
  setConnected(isConnected: boolean): void {
    for (const listener of this.#listeners) {
      if (isConnected) listener.onConnected();
      else listener.onDisconnected(new Error("socket closed"));
    }
  }

  countCalls(method: Method): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  async readHardware(signal?: AbortSignal): Promise<HostHardware> {
    await this.#begin({ method: "readHardware", target: "", detail: "" }, signal);
    return this.hardware;
  }

  async readDiskSpace(signal?: AbortSignal): Promise<DiskSpace> {
    await this.#begin({ method: "readDiskSpace", target: "", detail: "" }, signal);
    return this.disk;
  }

  async readLicence(signal?: AbortSignal): Promise<Licence> {
    await this.#begin({ method: "readLicence", target: "", detail: "" }, signal);
    return this.licence;
  }

  async listVms(signal?: AbortSignal): Promise<readonly ParallelsVm[]> {
    await this.#begin({ method: "listVms", target: "", detail: "" }, signal);
    return [...this.vms.values()];
  }

  async listCachedImages(signal?: AbortSignal): Promise<readonly CachedManifest[]> {
    await this.#begin({ method: "listCachedImages", target: "", detail: "" }, signal);
    return this.images;
  }

  async removeCachedImage({ catalogId, version }: CachedVersion, signal?: AbortSignal): Promise<void> {
    await this.#begin({ method: "removeCachedImage", target: catalogId, detail: version }, signal);
    if (this.keepsImages) return;
    this.images = this.images.filter((image) => image.catalogId !== catalogId || image.version !== version);
    this.emit((listener) => listener.onCacheChanged());
  }

  async changeState(vmId: string, verb: StateVerb, options: ChangeStateOptions = {}): Promise<void> {
    const detail = options.force === true ? `${verb} force` : verb;
    await this.#begin({ method: "changeState", target: vmId, detail }, options.signal);
    const vm = this.#get(vmId);
    const next = nextState(vm.state, verb, options.force === true);
    if (next === undefined) throw new ParallelsError("state-not-allowed", `VM is ${vm.state}`, { status: 400 });
    if (next !== vm.state) this.changeVm(vmId, { state: next });
  }

  async deleteVm(vmId: string, options: { readonly force: boolean; readonly signal?: AbortSignal }): Promise<void> {
    await this.#begin({ method: "deleteVm", target: vmId, detail: options.force ? "force" : "" }, options.signal);
    const vm = this.#get(vmId);
    if (vm.state !== "stopped" && vm.state !== "invalid") {
      throw new ParallelsError("state-not-allowed", `VM is ${vm.state}`, { status: 400 });
    }
    this.vms.delete(vmId);
    this.emit((listener) => listener.onVmRemoved(vmId));
  }

  async cloneVm(vmId: string, cloneName: string, signal?: AbortSignal): Promise<string> {
    await this.#begin({ method: "cloneVm", target: vmId, detail: cloneName }, signal);
    const source = this.#get(vmId);
    const clone = this.addVm({ ...source, id: `vm-${++this.#made}`, name: cloneName, state: "stopped" });
    this.emit((listener) => listener.onVmChanged(clone));
    return clone.id;
  }

  async configureVm(vmId: string, change: VmConfiguration, signal?: AbortSignal): Promise<void> {
    await this.#begin({ method: "configureVm", target: vmId, detail: JSON.stringify(change) }, signal);
    this.changeVm(vmId, change);
  }

  async beginCreate(request: CreateFromCatalog, signal?: AbortSignal): Promise<void> {
    await this.#begin({ method: "beginCreate", target: request.name, detail: request.jobId }, signal);
    this.begun.push(request);
    if (!this.jobs.has(request.jobId)) this.jobs.set(request.jobId, newJob(request.jobId));
  }

  async readJob(jobId: string, signal?: AbortSignal): Promise<ParallelsJob | undefined> {
    await this.#begin({ method: "readJob", target: jobId, detail: "" }, signal);
    return this.jobs.get(jobId);
  }

  async execute(vmId: string, request: ExecuteRequest): Promise<ExecuteResult> {
    await this.#begin({ method: "execute", target: vmId, detail: request.command.join(" ") }, request.signal);
    return this.onExecute(request);
  }

  subscribe(listener: ParallelsListener): { close(): void } {
    this.#listeners.add(listener);
    queueMicrotask(() => {
      if (this.areEventsOn && this.#listeners.has(listener)) listener.onConnected();
    });
    return { close: () => this.#listeners.delete(listener) };
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.#listeners.clear();
    return Promise.resolve();
  }

  async #begin(call: Call, signal: AbortSignal | undefined): Promise<void> {
    this.calls.push(call);
    signal?.throwIfAborted();
    await this.interfere(call, signal);
    signal?.throwIfAborted();
  }

  #get(vmId: string): ParallelsVm {
    const vm = this.vms.get(vmId);
    if (vm === undefined) throw new ParallelsError("vm-not-found", "Virtual machine not found", { status: 404 });
    return vm;
  }
}

/** Makes the first `times` calls that match fail with an error of that kind. */
export function failing(
  kind: ParallelsErrorKind,
  matches: (call: Call) => boolean,
  times = Number.POSITIVE_INFINITY,
): Interference {
  let left = times;
  return (call) => {
    if (!matches(call) || left <= 0) return;
    left -= 1;
    throw new ParallelsError(kind, `made to fail: ${kind}`);
  };
}

/** Never resolves; rejects when the signal is aborted. */
export function hang(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(new ParallelsError("timed-out", "aborted")), { once: true });
  });
}

function newJob(id: string): ParallelsJob {
  return { id, state: "running", percent: 0, step: "", message: "", etaMs: 0, error: "", vmId: "" };
}

/** The state after a verb, or nothing if it is not allowed, as the real service has it. */
function nextState(state: string, verb: StateVerb, force: boolean): string | undefined {
  const moves: Readonly<Record<StateVerb, Readonly<Record<string, string>>>> = {
    start: { stopped: "running", running: "running" },
    stop: force
      ? { running: "stopped", paused: "stopped", suspended: "stopped", stopping: "stopped" }
      : { running: "stopped" },
    suspend: { running: "suspended" },
    resume: { suspended: "running", paused: "running" },
    pause: { running: "paused" },
    restart: { running: "running", stopped: "stopped" },
    reset: { running: "running", stopped: "stopped" },
  };
  return moves[verb][state];
}
