/**
 * A Mac as the pool keeps it: what operators want (`spec`), what its agent told (`facts`, inventory), what the server
 * concluded (`state`). What changes with every heartbeat is in `HostContact`, which is not stored: after a restart each host
 * has to be heard again.
 */
import type { HostId, Uid } from "../../shared/ids.ts";
import type { DialNumber } from "./dial.ts";
import type { ImagePrefetch } from "./image-prefetch.ts";
import type { ImagePurge } from "./image-purge.ts";
import type { Orphan } from "./orphan.ts";
import type { HostTrouble } from "./trouble.ts";
import type { Architecture, Resources } from "./vm.ts";

/** The states of the contact with a host; `docs/state-machines.md` draws them. */
export const hostStates = ["ENROLLED", "READY", "DISCONNECTED", "LOST"] as const;
export type HostState = (typeof hostStates)[number];

export interface HostDrain {
  /** When VMs that are still there are deleted; absent: never. */
  readonly deadlineMs?: number;
  readonly reason: string;
  readonly then: "stay-cordoned" | "uncordon";
}

export interface HostLimits {
  readonly macosSlots: number;
  readonly parallelCreates: number;
  readonly cpuOvercommit: number;
  readonly memoryOvercommit: number;
  readonly diskOvercommit: number;
}

export interface HostSpec {
  readonly schedulable: boolean;
  readonly drain?: HostDrain;
  readonly labels: Readonly<Record<string, string>>;
  /** Kept for macOS itself; the larger of this and what the local service keeps is not given to VMs. */
  readonly reserved: Resources;
  readonly limits: HostLimits;
}

export interface HostFacts {
  readonly hardwareId: string;
  readonly architecture: Architecture;
  readonly chip: string;
  readonly macosVersion: string;
  readonly parallelsVersion: string;
  readonly serviceVersion: string;
  readonly licence: string;
  readonly agentVersion: string;
  /** The Mac's totals. */
  readonly total: Resources;
  /** What the local service keeps for itself. */
  readonly reserved: Resources;
  readonly address: string;
}

/** One result of the agent's preflight. */
export interface HostCondition {
  readonly type: string;
  readonly holds: boolean;
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
}

/** A VM on a host as Parallels Desktop shows it. */
export interface HostVm {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly os: string;
  readonly resources: Resources;
  readonly ipAddresses: readonly string[];
  readonly isMacos: boolean;
  readonly uptimeSeconds: number;
}

export interface CachedImage {
  readonly catalogId: string;
  readonly version: string;
  readonly architecture: string;
  readonly sizeMib: number;
}

export interface HostRecord {
  readonly id: HostId;
  readonly uid: Uid;
  readonly spec: HostSpec;
  readonly generation: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
  readonly state: HostState;
  readonly stateSinceMs: number;
  /** Counts sessions; only grows. */
  readonly epoch: number;
  /** Of the newest session; absent: its agent does not count. */
  readonly dial?: DialNumber | undefined;
  /** Absent as long as the host has never connected. */
  readonly facts?: HostFacts;
  /** When the drain began, and how many VMs were there then; absent: it is not being drained. */
  readonly drainStart?: { readonly timeMs: number; readonly vmCount: number };
  readonly agentLabels: Readonly<Record<string, string>>;
  readonly conditions: readonly HostCondition[];
  readonly images: readonly CachedImage[];
  /** VMs that Parallels Desktop shows and the pool does not own, by id, in the order of their names. */
  readonly foreignVms: readonly HostVm[];
  /** Those of `foreignVms` that the pool removes. */
  readonly orphans: readonly Orphan[];
  /** What is remembered of VMs that could not be made or started here; absent: nothing. */
  readonly trouble?: HostTrouble;
  /** Images of revoked templates that it has removed, or has to; absent: none. */
  readonly imagePurges?: readonly ImagePurge[] | undefined;
  /** Images that it is to pull before a VM of them is wanted; absent: none. */
  readonly prefetches?: readonly ImagePrefetch[] | undefined;
  /** Counts removals, of VMs and of images, and prefetches; makes the ids of their commands. */
  readonly removalCount: number;
}

/** What is known of a host since this server started; changes too often to be stored. */
export interface HostContact {
  /** Whether a session is open. */
  readonly isConnected: boolean;
  /** The id of the open or last session. */
  readonly sessionId: string;
  /** The pool time of the last message; 0 if none has come since this server started. */
  readonly heardAtMs: number;
  /** The pool time at which the host counts as silent, unless it is heard before. */
  readonly silentAtMs: number;
  readonly heartbeatPeriodMs: number;
  readonly inUse: Resources;
  readonly diskFreeMib: number;
  readonly diskTotalMib: number;
  readonly macosGuests: number;
}

/** The labels that placement looks at: the operator's win over the agent's. */
export function hostLabels(host: HostRecord): Readonly<Record<string, string>> {
  return { ...host.agentLabels, ...host.spec.labels };
}
