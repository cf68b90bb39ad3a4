/**
 * Projects: whose VMs are whose, and what each may have of the pool. A VM may name a project that was never created; that has
 * weight 1 and no quota, so that nobody has to create one.
 */
import type { ProjectId, Uid } from "../../shared/ids.ts";

/** What a project's VMs may hold together; a bound that is absent does not bound. */
export interface ProjectQuota {
  readonly vms?: number;
  readonly cpuCount?: number;
  readonly memoryMib?: number;
  readonly diskMib?: number;
  readonly macosSlots?: number;
}

export interface ProjectSpec {
  readonly displayName: string;
  /** Its share of the pool beside those of others. */
  readonly weight: number;
  readonly quota: ProjectQuota;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ProjectRecord {
  readonly id: ProjectId;
  readonly uid: Uid;
  readonly spec: ProjectSpec;
  readonly generation: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
}

/** What a project is that was never created. */
export const defaultProjectSpec: ProjectSpec = { displayName: "", weight: 1, quota: {}, labels: {} };
