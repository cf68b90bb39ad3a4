/** What hosts tell. */
import type { CommandId, HostId, Uid } from "../../../shared/ids.ts";
import type { DialNumber } from "../dial.ts";
import type { CachedImage, HostFacts, HostVm } from "../host.ts";
import type { Resources, Suspect, VmProgress } from "../vm.ts";

export interface HostUse {
  readonly inUse: Resources;
  readonly diskFreeMib: number;
  readonly diskTotalMib: number;
  readonly macosGuests: number;
  readonly conditions: readonly {
    readonly type: string;
    readonly holds: boolean;
    readonly reason: string;
    readonly message: string;
  }[];
}

export interface HostInventory {
  /** True: this is everything. False: `vms` are new or changed and `removedIds` are gone. */
  readonly isWhole: boolean;
  readonly vms: readonly HostVm[];
  readonly removedIds: readonly string[];
  /** Absent: unchanged. */
  readonly images?: readonly CachedImage[];
}

export interface CommandReport {
  readonly commandId: CommandId;
  readonly state: "ACCEPTED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "REFUSED";
  readonly progress?: VmProgress;
  readonly failure?: {
    readonly reason: string;
    readonly message: string;
    readonly suspect: Suspect;
    readonly isRetryable: boolean;
  };
  /** The VM as it is, if it is there. */
  readonly vm?: HostVm;
  /** The host could not look whether it is there; absent: it could. */
  readonly isVmUnknown?: true;
}

/**
 * Opens a session: enrols the host if it is new, ends its older session, gives the next epoch. A Hello that is older than the
 * newest session's changes nothing, and neither does that of another Mac as long as VMs stand on the one that the host was.
 */
export interface HostConnected {
  readonly type: "host-connected";
  readonly id: HostId;
  /** Taken if the host is new. */
  readonly uid: Uid;
  readonly sessionId: string;
  /** When the certificate was issued that the host showed; absent where hosts are not asked for one. */
  readonly certificateIssueTimeMs?: number;
  /** Absent: the agent does not count. */
  readonly dial?: DialNumber;
  readonly facts: HostFacts;
  readonly agentLabels: Readonly<Record<string, string>>;
  /** Absent: the agent could not list the Mac's VMs yet, so that nothing is known of them. */
  readonly inventory?: HostInventory;
  readonly use: HostUse;
  /** Ends of commands that the agent still holds. */
  readonly commands: readonly CommandReport[];
}

export interface HostHeard {
  readonly type: "host-heard";
  readonly id: HostId;
  readonly epoch: number;
  readonly use: HostUse;
}

export interface HostInventoried {
  readonly type: "host-inventoried";
  readonly id: HostId;
  readonly epoch: number;
  readonly inventory: HostInventory;
}

export interface CommandReported {
  readonly type: "command-reported";
  readonly hostId: HostId;
  readonly epoch: number;
  readonly report: CommandReport;
}

/** The session is over. */
export interface HostDisconnected {
  readonly type: "host-disconnected";
  readonly id: HostId;
  readonly epoch: number;
}
