/**
 * The agent's port to the local Parallels Desktop API: what the rest of the agent may ask of this Mac. `http-api.ts` speaks
 * to the real service; the simulated Macs offer the same port without HTTP for load tests. Everything that is odd about the
 * real API (verbs that changed, statuses that mislead, tokens that die) stays behind this port.
 *
 * Every call has a time limit of its own and rejects with a `ParallelsError`. A call that timed out may still have worked.
 */

export interface ParallelsApi {
  /** Facts and totals of the Mac. */
  readHardware(signal?: AbortSignal): Promise<HostHardware>;
  /** Disk where VMs are kept. */
  readDiskSpace(signal?: AbortSignal): Promise<DiskSpace>;
  /** Parallels Desktop's licence. */
  readLicence(signal?: AbortSignal): Promise<Licence>;
  /** Every VM of the Mac. A fresh list is the only proof that a VM is gone. */
  listVms(signal?: AbortSignal): Promise<readonly ParallelsVm[]>;
  /** The catalog images in the Mac's cache. */
  listCachedImages(signal?: AbortSignal): Promise<readonly CachedManifest[]>;
  /** Asks for the removal of one version of an image from the Mac's cache. That it is gone, a list says. */
  removeCachedImage(image: CachedVersion, signal?: AbortSignal): Promise<void>;

  /** Changes a VM's state; resolves when Parallels Desktop says that it is done. */
  changeState(vmId: string, verb: StateVerb, options?: ChangeStateOptions): Promise<void>;
  /** Asks for the removal of a VM and its files. That it is gone, a list says. */
  deleteVm(vmId: string, options: { readonly force: boolean; readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Copies a stopped VM and returns the copy's id. The copy has its own MAC address. A copy that a cut-off call left behind
   * under the name may still have the source's: remove it and copy again.
   */
  cloneVm(vmId: string, cloneName: string, signal?: AbortSignal): Promise<string>;
  /** Sets CPU and memory of a stopped VM. */
  configureVm(vmId: string, change: VmConfiguration, signal?: AbortSignal): Promise<void>;
  /** Begins to make a VM of a catalog's manifest, under a job id of the caller's own; the same id again is the same job. */
  beginCreate(request: CreateFromCatalog, signal?: AbortSignal): Promise<void>;
  /** The job, or nothing if the service does not know it (it forgets, for example when it restarts). */
  readJob(jobId: string, signal?: AbortSignal): Promise<ParallelsJob | undefined>;
  /** Runs a short command in a running guest. At most two run at once on a Mac; further ones wait here. */
  execute(vmId: string, request: ExecuteRequest): Promise<ExecuteResult>;

  /**
   * Listens to the service's events until closed. Reconnects by itself; each time a connection is (re-)established it calls
   * `onConnected`, since events may have been missed: there is no replay.
   */
  subscribe(listener: ParallelsListener): { close(): void };

  /** Ends all calls and connections. */
  close(): Promise<void>;
}

export type StateVerb = "start" | "stop" | "suspend" | "resume" | "pause" | "restart" | "reset";

export interface ChangeStateOptions {
  /**
   * Only for "stop": cut the power (from running), drop the saved state (from suspended). Default false. A paused VM must be
   * resumed first, also before it is removed: Parallels Desktop refuses even the forced stop.
   */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

export interface HostHardware {
  readonly architecture: "arm64" | "x86_64";
  /** Such as "Apple M2 Pro". */
  readonly chip: string;
  readonly osVersion: string;
  readonly parallelsVersion: string;
  readonly serviceVersion: string;
  readonly isLicensed: boolean;
  readonly address: string;
  readonly totalCpuCount: number;
  readonly totalMemoryMib: number;
  /** What the local service keeps for itself. */
  readonly reservedCpuCount: number;
  readonly reservedMemoryMib: number;
  readonly reservedDiskMib: number;
}

export interface DiskSpace {
  /** Free where VMs are kept, in MiB. */
  readonly freeMib: number;
  /** In all where VMs are kept, in MiB; 0 when the service does not say. */
  readonly totalMib: number;
}

export interface Licence {
  /** In the words of Parallels Desktop, such as "valid" or "expired". */
  readonly state: string;
  readonly isValid: boolean;
  /** The Mac's hardware id, if the service tells it; else empty. */
  readonly hardwareId: string;
}

export interface ParallelsVm {
  readonly id: string;
  readonly name: string;
  /** In the words of Parallels Desktop. Known ones: stopped, running, suspended, paused, invalid, unknown and passing ones
   * such as starting; there may be others. */
  readonly state: string;
  /** In the words of Parallels Desktop, such as "macosx" or "ubuntu". */
  readonly os: string;
  /** Whether it takes a macOS slot: its OS is macOS, or the service takes it for one by its name. */
  readonly isMacos: boolean;
  readonly cpuCount: number;
  readonly memoryMib: number;
  readonly diskMib: number;
  readonly ipAddresses: readonly string[];
  readonly uptimeSeconds: number;
}

/** Neither is empty: the service takes less for more, and would remove all versions, or everything. */
export interface CachedVersion {
  readonly catalogId: string;
  readonly version: string;
}

export interface CachedManifest extends CachedVersion {
  readonly architecture: string;
  readonly sizeMib: number;
}

export interface VmConfiguration {
  readonly cpuCount?: number;
  readonly memoryMib?: number;
}

export interface CreateFromCatalog {
  readonly jobId: string;
  readonly name: string;
  readonly architecture: string;
  readonly catalogId: string;
  readonly version: string;
  /** The catalog's address, and how the Mac proves who it is. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  readonly apiKey?: string;
}

export interface ParallelsJob {
  readonly id: string;
  /** "running" covers all that is not ended. A failed one may still be working (the service gives up on silent jobs). */
  readonly state: "running" | "succeeded" | "failed";
  /** From 0 to 100. */
  readonly percent: number;
  /** The step that is being done, such as "download"; empty if none. */
  readonly step: string;
  readonly message: string;
  /** What is left of the step in ms; 0 if it is not known. */
  readonly etaMs: number;
  readonly error: string;
  /** The VM that was made; empty until then. */
  readonly vmId: string;
}

export interface ExecuteRequest {
  /** The program and its arguments, each passed to the guest as it is. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** At most three minutes, the wait for a free place included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface ExecuteResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

export interface ParallelsListener {
  /** A connection is there: list everything and compare. */
  onConnected(): void;
  /** The connection is gone, or has gone silent; the port tries again by itself. */
  onDisconnected(error: Error): void;
  /** A VM changed its state. */
  onStateChanged(vmId: string, state: string): void;
  /** A VM was added or changed. */
  onVmChanged(vm: ParallelsVm): void;
  /** A VM is gone. */
  onVmRemoved(vmId: string): void;
  /** A job moved. */
  onJob(job: ParallelsJob): void;
  /** The cache of catalog images changed. */
  onCacheChanged(): void;
}

/**
 * What a failed call means to the caller.
 * - unreachable: nobody answers there; the call was not done.
 * - timed-out: no answer, since the time was up, the caller gave up or the connection broke; it may have been done.
 * - unauthorised: the key or the user is refused, or lacks a right.
 * - vm-not-found: the service does not know the VM (a list proves it).
 * - state-not-allowed: the VM's state forbids it.
 * - macos-limit: the Mac refuses another macOS guest.
 * - disk-full: there is no room.
 * - name-taken: a VM of that name is there.
 * - catalog: the catalog or the image's storage refused or failed.
 * - failed: anything else; the message is the service's own.
 */
export type ParallelsErrorKind =
  | "unreachable"
  | "timed-out"
  | "unauthorised"
  | "vm-not-found"
  | "state-not-allowed"
  | "macos-limit"
  | "disk-full"
  | "name-taken"
  | "catalog"
  | "failed";

export class ParallelsError extends Error {
  override readonly name = "ParallelsError";
  readonly kind: ParallelsErrorKind;
  /** The HTTP status, or 0 if there was no answer. */
  readonly status: number;

  constructor(
    kind: ParallelsErrorKind,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.status = options.status ?? 0;
  }
}
