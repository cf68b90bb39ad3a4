/** New VMs, one by one: how one is checked, what its record is, and how it begins to wait. */
import { MeridianError, notFound } from "../../shared/errors.ts";
import type { VmCreate } from "../pool/events/vms.ts";
import { resolveImage, resolveResources } from "../pool/image.ts";
import { waitingMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import { checkTemplateUse } from "../pool/template-use.ts";
import type { VmRecord } from "../pool/vm.ts";
import { alreadyExists } from "./checks.ts";
import { checkProjectBound } from "./client-project.ts";
import { withGrantedLease } from "./granted-lease.ts";

/** The VM as it would be accepted. Throws a `MeridianError` if it cannot be; changes nothing. */
export function newVm(
  pool: Pool,
  { id, uid, spec: asked, owner, role }: Pick<VmCreate, "id" | "uid" | "spec" | "owner" | "role">,
  timeMs: number,
): VmRecord {
  const existing = pool.vms.get(id);
  if (existing !== undefined && existing.state !== "DELETED") throw alreadyExists(`vms/${id}`);
  const spec = withGrantedLease(asked, pool.settings.vms);
  checkTemplateUse(pool, spec, role);
  const image = resolveImage(pool, spec);
  const taint = pool.templates.get(spec.template)?.standing?.reason;
  if (spec.placement.host !== undefined && !pool.hosts.has(spec.placement.host)) {
    throw notFound(`hosts/${spec.placement.host}`);
  }
  checkProjectBound(pool, spec.project);
  return {
    id,
    uid,
    spec,
    ...(owner === undefined ? {} : { owner }),
    ...(taint === undefined ? {} : { taint }),
    generation: 1,
    observedGeneration: 1,
    createTimeMs: timeMs,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
    image,
    resources: resolveResources(spec, image),
    state: "PENDING",
    stateSinceMs: timeMs,
    message: "",
    host: undefined,
    attempt: 0,
    commandCount: 0,
    command: undefined,
    pendingAction: undefined,
    force: false,
    sight: undefined,
    progress: undefined,
    failure: undefined,
    retryCount: 0,
    retryAtMs: undefined,
    deadlineMs: spec.pendingTimeoutMs === 0 ? undefined : timeMs + spec.pendingTimeoutMs,
    timeline: [{ state: "PENDING", timeMs, reason: "Accepted" }],
  };
}

/** Refuses so many more VMs when too many wait already. */
export function checkWaiting(pool: Pool, count: number): void {
  if (pool.waiting.size + count <= waitingMax) return;
  throw new MeridianError(
    "LIMIT_REACHED",
    `${waitingMax} VMs may wait for a host, and ${pool.waiting.size} do; try again when some are placed`,
    {
      retryAfterMs: 60_000,
      metadata: { limit: String(waitingMax) },
    },
  );
}

/** Puts a new VM among those that wait. The record of a deleted VM of its name makes way. */
export function acceptVm(pool: Pool, vm: VmRecord): void {
  if (pool.vms.has(vm.id)) pool.removeVm(vm.id);
  pool.putVm(vm);
}
