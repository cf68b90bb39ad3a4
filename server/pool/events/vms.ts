/**
 * What clients ask of VMs. An `etag`, where present, must be the resource's; `baseGeneration` is the generation of the record that
 * the new spec was derived from. So it is in the other files here.
 */
import type { HostId, Uid, VmId } from "../../../shared/ids.ts";
import type { PoolRole } from "../service-account.ts";
import type { PendingAction, VmRecord, VmSpec, WantedState } from "../vm.ts";
import type { RequestKey } from "./request-key.ts";

/** Accepts a VM. With `spec.sourceVm` it is a copy of that VM, which must be stopped. */
export interface VmCreate {
  readonly type: "vm-create";
  readonly id: VmId;
  readonly uid: Uid;
  readonly spec: VmSpec;
  /** Who asks for it. */
  readonly owner?: string;
  /** The owner's role in the VM's project; absent: nobody asks for it. */
  readonly role?: PoolRole;
  readonly request?: RequestKey;
}

/**
 * Accepts several VMs of one project in one batch. `fit` says what becomes of those that fit nowhere now: they wait ("wait"), or
 * they are not accepted ("any"), or nothing is ("all").
 */
export interface VmBatchCreate {
  readonly type: "vm-batch-create";
  readonly vms: readonly Pick<VmCreate, "id" | "uid" | "spec">[];
  readonly owner?: string;
  readonly role?: PoolRole;
  readonly fit: "wait" | "all" | "any";
  readonly request?: RequestKey;
}

export interface VmBatch {
  /** Those that were accepted, in the order in which they were asked for. */
  readonly vms: readonly VmRecord[];
  readonly refusedCount: number;
  /** Why the first of those that were not accepted was not; empty if all were, or it was long ago. */
  readonly refusal: string;
}

export interface VmUpdate {
  readonly type: "vm-update";
  readonly id: VmId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: VmSpec;
}

/** Takes a VM of others that stands on a host into the pool. */
export interface VmAdopt {
  readonly type: "vm-adopt";
  readonly id: VmId;
  readonly uid: Uid;
  readonly host: HostId;
  /** Its id or name in Parallels Desktop. */
  readonly hostVm: string;
  /** Who asks for it. */
  readonly owner?: string;
  /** `wanted` absent: as it is. */
  readonly spec: Omit<VmSpec, "template" | "templateVersion" | "sourceVm" | "wanted"> & Partial<Pick<VmSpec, "wanted">>;
  readonly request?: RequestKey;
}

/** Lets a VM's lease begin anew, with another duration if one is given. */
export interface VmRenew {
  readonly type: "vm-renew";
  readonly id: VmId;
  readonly leaseDurationMs?: number;
}

/** Changes what is wanted of a VM, or asks for a restart or reset. */
export interface VmWant {
  readonly type: "vm-want";
  readonly id: VmId;
  readonly etag?: string;
  readonly wanted: WantedState;
  readonly action?: PendingAction;
  /** Cut the power (stop, delete). */
  readonly force: boolean;
}
