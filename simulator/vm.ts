/** One VM of a simulated Mac: what Parallels Desktop knows about it, and how its guest behaves. */

/** The states that the simulated service shows; the real one may show others. */
export type VmState =
  | "stopped"
  | "starting"
  | "running"
  | "stopping"
  | "pausing"
  | "paused"
  | "suspending"
  | "suspended"
  | "resuming"
  | "resetting"
  | "invalid";

/** A VM as options and people describe it. */
export interface VmDescription {
  readonly name: string;
  /** In the words of Parallels Desktop, such as "macosx" or "ubuntu". Default "macosx". */
  readonly os?: string;
  /** Default 4. */
  readonly cpuCount?: number;
  /** Default 8192. */
  readonly memoryMib?: number;
  /** Default 65536. */
  readonly diskMib?: number;
  /** Default "stopped". */
  readonly state?: "stopped" | "running" | "suspended" | "paused" | "invalid";
}

/** What a VM is given when it is made, beside its description. */
export interface VmIdentity {
  readonly id: string;
  /** Of net0: twelve hex digits in upper case. */
  readonly macAddress: string;
  /** Its place among the Mac's guests, which gives it its address. */
  readonly slot: number;
}

export class Vm {
  readonly id: string;
  readonly slot: number;
  readonly os: string;
  readonly diskMib: number;
  name: string;
  description = "";
  cpuCount: number;
  memoryMib: number;
  macAddress: string;
  state: VmState;
  /** The guest's IPv4 address; empty until it has one. */
  address = "";
  /** The monotonic time since which it runs; meaningless unless it does. */
  runningSinceMs = 0;
  /** False: the guest runs, and never gets an address. */
  getsAddress = true;
  /** False: the guest runs, and answers neither commands nor connections. */
  answersProbes = true;
  /** Counts the boots, so that what belongs to an earlier one can be told. */
  bootCount = 0;

  constructor(description: VmDescription, identity: VmIdentity) {
    this.id = identity.id;
    this.slot = identity.slot;
    this.macAddress = identity.macAddress;
    this.name = description.name;
    this.os = description.os ?? "macosx";
    this.cpuCount = description.cpuCount ?? 4;
    this.memoryMib = description.memoryMib ?? 8_192;
    this.diskMib = description.diskMib ?? 65_536;
    this.state = description.state ?? "stopped";
  }

  /** Whether the guest is macOS indeed, which is what Apple's limit counts. */
  get isMacosGuest(): boolean {
    return this.os === "macosx";
  }

  /** Whether the service takes it for macOS: it also goes by the name. */
  get countsAsMacos(): boolean {
    return this.isMacosGuest || this.name.toLowerCase().includes("mac");
  }

  /** Whether it holds memory and a slot: anything but off or saved to disk. */
  get isPoweredOn(): boolean {
    return this.state !== "stopped" && this.state !== "suspended" && this.state !== "invalid";
  }
}
