/**
 * A VM as the pool keeps it. Records are values: a change replaces the record, so that who holds one (a watcher, a batch
 * that is being synced) keeps what it saw. Times are in ms since 1970 by the server's pool time.
 */
import type { CatalogId, CommandId, HostId, TemplateId, Uid, VmId } from "../../shared/ids.ts";
import type { LabelExpression } from "./labels.ts";
import type { PreemptionNotice } from "./preemption.ts";
import type { VmReservation } from "./reservation.ts";

export type Architecture = "arm64" | "x86_64";
export type GuestOs = "macos" | "linux" | "windows";

/** An amount of CPU, memory and disk. */
export interface Resources {
  readonly cpuCount: number;
  readonly memoryMib: number;
  readonly diskMib: number;
}

/** What a client wants a VM to be. */
export type WantedState = "running" | "stopped" | "suspended" | "paused" | "deleted";

/** The states of a VM; `docs/state-machines.md` draws them. */
export const vmStates = [
  "PENDING",
  "PLACED",
  "CREATING",
  "STARTING",
  "RUNNING",
  "STOPPING",
  "STOPPED",
  "SUSPENDING",
  "SUSPENDED",
  "PAUSING",
  "PAUSED",
  "RESUMING",
  "UNKNOWN",
  "FAILED",
  "DELETING",
  "DELETED",
] as const;
export type VmState = (typeof vmStates)[number];

export type Probe =
  | { readonly kind: "none" }
  | { readonly kind: "guest-tools" }
  | { readonly kind: "exec"; readonly command: string }
  | { readonly kind: "tcp-port"; readonly port: number };

export interface Readiness {
  readonly probe: Probe;
  readonly periodMs: number;
  readonly timeoutMs: number;
}

export interface VmPlacement {
  readonly architecture?: Architecture;
  readonly host?: HostId;
  readonly required: readonly LabelExpression[];
  readonly preferred: readonly LabelExpression[];
  readonly spreadKey?: string;
  /** Absent: as the settings say. */
  readonly strategy?: "pack" | "spread";
}

/** What a client wants; only clients write it. Defaults are filled in where the request came in. */
export interface VmSpec {
  readonly project: string;
  /** Empty for a VM that was adopted. */
  readonly template: TemplateId;
  /** The template's version, if the client named one. */
  readonly templateVersion?: string;
  /** The VM that this one is a copy of. */
  readonly sourceVm?: VmId;
  /** As the client wrote them: 0 means as the template says. */
  readonly resources: Resources;
  readonly placement: VmPlacement;
  /** From 0 to 100; higher goes first. */
  readonly priority: number;
  readonly wanted: WantedState;
  /** 0: waits until someone deletes it. */
  readonly pendingTimeoutMs: number;
  /** How long it may live from placement on without being renewed; absent: without a bound. */
  readonly leaseDurationMs?: number;
  /** How long it may live in all, from creation on; absent: without a bound. */
  readonly maxLifetimeMs?: number;
  /** What becomes of it when its host is lost; absent: it is kept, UNKNOWN, until the host returns. */
  readonly onHostLost?: "fail" | "replace";
  /** How often it is tried on another host when it could not be made or started; absent: never. */
  readonly retryAttempts?: number;
  /** It may be ended early for the sake of others; absent: it may not. */
  readonly preemptible?: true;
  /** Absent: as the template says. */
  readonly readiness?: Readiness;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a VM is really made of: settled when it is accepted, so that a later change of the template does not touch it. */
export interface VmImage {
  readonly source:
    | { readonly kind: "catalog"; readonly catalog: CatalogId; readonly catalogId: string; readonly version: string }
    | { readonly kind: "host-vm"; readonly vmName: string }
    /** A copy of the VM that had this uid, which can be made only on the host where that stands. */
    | { readonly kind: "clone"; readonly vm: VmId; readonly uid: Uid; readonly host: HostId }
    /** Made by others, under this name in Parallels Desktop, and taken into the pool: it cannot be made again. */
    | { readonly kind: "adopted"; readonly name: string };
  readonly guestOs: GuestOs;
  readonly architecture: Architecture;
  readonly resources: Resources;
  readonly readiness: Readiness;
}

export type Suspect = "none" | "host" | "template" | "network" | "request" | "server";

export interface VmFailure {
  /** One CamelCase word. */
  readonly reason: string;
  readonly message: string;
  readonly suspect: Suspect;
  readonly host?: HostId;
  readonly timeMs: number;
}

export type CommandKind = "create" | "start" | "stop" | "suspend" | "resume" | "pause" | "restart" | "reset" | "delete";

/** The states of a command: it only moves forward, and is dropped from its VM when it has ended. */
export const commandStates = ["SENT", "ACCEPTED", "RUNNING", "SUCCEEDED", "FAILED", "REFUSED"] as const;
export type CommandState = (typeof commandStates)[number];

/** The one command of a VM that has not ended. */
export interface VmCommand {
  readonly id: CommandId;
  readonly kind: CommandKind;
  readonly state: CommandState;
  /** Cut the power (stop, delete). */
  readonly force: boolean;
  /** The spec's generation that it follows from. */
  readonly generation: number;
  /** How many sessions it was sent in again without any progress since. Absent: none. */
  readonly resendCount?: number;
}

export interface VmProgress {
  readonly step: string;
  readonly percent: number;
  readonly etaMs: number;
  readonly message: string;
}

/** The VM in Parallels Desktop, as last seen. */
export interface HostSight {
  /** Its id in Parallels Desktop. */
  readonly id: string;
  readonly name: string;
  /** In the words of Parallels Desktop; there may be new ones. */
  readonly state: string;
  readonly ipAddresses: readonly string[];
}

export interface TimelineEntry {
  readonly state: VmState;
  readonly timeMs: number;
  readonly reason: string;
}

/** Why a VM was deleted without anybody asking for it. */
export type EndReason = "LeaseExpired" | "LifetimeOver" | "TemplateRevoked" | "Preempted";

/** A restart or reset that a client asked for and that has not been sent yet. */
export type PendingAction = "restart" | "reset";

export interface VmRecord {
  readonly id: VmId;
  readonly uid: Uid;
  readonly spec: VmSpec;
  /** Who asked for it; absent: somebody of before there were callers. */
  readonly owner?: string | undefined;
  /** Counts the changes of `spec`. */
  readonly generation: number;
  /** The generation that the server last acted on. */
  readonly observedGeneration: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  /** The store's revision of the last change. */
  readonly revision: number;
  readonly image: VmImage;
  /** What is reserved on a host from placement on. */
  readonly resources: Resources;
  readonly state: VmState;
  readonly stateSinceMs: number;
  /** Why it is in this state, as a sentence; of a waiting VM it is made when it is read. */
  readonly message: string;
  /** The host that its capacity is reserved on, from placement until Parallels Desktop says that the VM is gone. */
  readonly host?: HostId | undefined;
  /** Counts placements. */
  readonly attempt: number;
  /** Counts commands; makes their ids. */
  readonly commandCount: number;
  readonly command?: VmCommand | undefined;
  readonly pendingAction?: PendingAction | undefined;
  /** A stop or delete that is wanted with the power cut. */
  readonly force: boolean;
  readonly sight?: HostSight | undefined;
  /** A try to make it has failed, and its host could not look whether something of it is there. */
  readonly mayHaveRemains?: true | undefined;
  readonly progress?: VmProgress | undefined;
  readonly failure?: VmFailure | undefined;
  /** How often the present step has been tried again in a row; reset by success. */
  readonly retryCount: number;
  /** How many of `spec.retryAttempts` have been used. */
  readonly retriesUsed?: number | undefined;
  /** The step is not tried again before this time. */
  readonly retryAtMs?: number | undefined;
  /** When the present state ends by itself, if it does. */
  readonly deadlineMs?: number | undefined;
  /** When the lease of a placed VM ends, if it has one; see `expiryOf`. */
  readonly leaseEndMs?: number | undefined;
  /** Room that is kept for it while it waits; see `reservationOf`. */
  readonly reservation?: VmReservation | undefined;
  /** What was said of its template when the VM was accepted, if that was tainted. */
  readonly taint?: string | undefined;
  /** It gives way to a more urgent one. */
  readonly notice?: PreemptionNotice | undefined;
  /** Set when it is deleted because its time was over, its template was revoked, or it gave way. */
  readonly endReason?: EndReason | undefined;
  readonly timeline: readonly TimelineEntry[];
}
