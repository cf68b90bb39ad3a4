/** What clients ask of VMs: new ones, other specs, other wishes. */
import { MeridianError, notFound } from "../../shared/errors.ts";
import type { VmId } from "../../shared/ids.ts";
import type { VmCreate, VmRenew, VmUpdate, VmWant } from "../pool/events/vms.ts";
import { resolveImage, resolveResources } from "../pool/image.ts";
import { leaseEndFrom } from "../pool/lease.ts";
import type { Pool } from "../pool/pool.ts";
import { checkNotRevoked } from "../pool/template-use.ts";
import type { VmImage, VmRecord, VmSpec, VmState, WantedState } from "../pool/vm.ts";
import { changeVm, moveVm, stateDeadlineMs } from "./change-vm.ts";
import { checkEtag, checkGeneration, findRepeated, rememberRequest, repeatedButGone } from "./checks.ts";
import { boundedLeaseMs, grantedLeaseMs } from "./granted-lease.ts";
import { partFromLostHost } from "./letting-go.ts";
import { acceptVm, checkWaiting, newVm } from "./new-vm.ts";

export function applyVmCreate(pool: Pool, event: VmCreate, timeMs: number): VmRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) {
    const made = pool.findVmByUid(repeated.uid);
    if (made === undefined) throw repeatedButGone(`vms/${repeated.resourceId}`);
    return made;
  }
  const accepted = newVm(pool, event, timeMs);
  checkWaiting(pool, 1);
  acceptVm(pool, accepted);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  return accepted;
}

export function applyVmUpdate(pool: Pool, event: VmUpdate, timeMs: number): VmRecord {
  const vm = findVm(pool, event.id);
  checkEtag(vm, event.etag, `vms/${vm.id}`);
  checkGeneration(vm, event.baseGeneration, `vms/${vm.id}`);
  checkNotLeaving(vm);
  const spec = withChangedLease(pool, vm, event.spec);
  if (vm.state !== "PENDING") {
    // Another lease begins now; the same goes on.
    const isSame = spec.leaseDurationMs === vm.spec.leaseDurationMs;
    const leaseEndMs = isSame ? vm.leaseEndMs : leaseEndFrom(spec.leaseDurationMs, timeMs);
    const changed = changeVm(pool, vm, timeMs, { spec, generation: vm.generation + 1, leaseEndMs });
    const isLost = vm.host !== undefined && pool.hosts.get(vm.host)?.state === "LOST";
    if (isLost) partFromLostHost(pool, changed, timeMs);
    return pool.vms.get(vm.id) ?? changed;
  }
  // It has no host yet: what it is made of, and what it needs, can still change.
  const image = hasItsTemplate(pool, vm, spec) ? resolveImage(pool, spec) : keptImage(vm, spec);
  return changeVm(pool, vm, timeMs, {
    spec,
    generation: vm.generation + 1,
    image,
    resources: resolveResources(spec, image),
    // Room is kept for what it was.
    reservation: undefined,
    deadlineMs: stateDeadlineMs({ ...vm, spec }, "PENDING", vm.stateSinceMs),
  });
}

export function applyVmRenew(pool: Pool, event: VmRenew, timeMs: number): VmRecord {
  const vm = findVm(pool, event.id);
  checkNotLeaving(vm);
  if (vm.spec.leaseDurationMs === undefined) {
    throw new MeridianError("STATE_NOT_ALLOWED", `vms/${vm.id} has no lease: it lives until somebody deletes it`, {
      resource: `vms/${vm.id}`,
      metadata: { state: vm.state, vm: `vms/${vm.id}` },
    });
  }
  // As long as before, if it may still be: a lease that was granted is not refused for a bound that came later.
  const leaseDurationMs =
    event.leaseDurationMs === undefined
      ? Math.min(vm.spec.leaseDurationMs, pool.settings.vms.maximumLeaseMs)
      : boundedLeaseMs(event.leaseDurationMs, pool.settings.vms);
  const isSame = leaseDurationMs === vm.spec.leaseDurationMs;
  return changeVm(pool, vm, timeMs, {
    ...(isSame ? {} : { spec: { ...vm.spec, leaseDurationMs }, generation: vm.generation + 1 }),
    // One that waits gets its whole lease when it is placed.
    leaseEndMs: vm.host === undefined ? undefined : leaseEndFrom(leaseDurationMs, timeMs),
  });
}

export function applyVmWant(pool: Pool, event: VmWant, timeMs: number): VmRecord {
  const vm = findVm(pool, event.id);
  checkEtag(vm, event.etag, `vms/${vm.id}`);
  if (event.wanted === "deleted") return wantDeleted(pool, vm, { force: event.force, timeMs });
  checkNotLeaving(vm);
  if (event.wanted !== "stopped") checkMayBeUp(pool, vm);
  const allowed = allowedStates(event);
  if (allowed !== undefined && !allowed.includes(vm.state)) throw stateNotAllowed(vm, allowed);
  return changeVm(pool, vm, timeMs, {
    spec: { ...vm.spec, wanted: event.wanted },
    generation: vm.generation + 1,
    force: event.force,
    pendingAction: event.action,
    retryCount: 0,
    retryAtMs: undefined,
  });
}

function wantDeleted(
  pool: Pool,
  vm: VmRecord,
  { force, timeMs }: { readonly force: boolean; readonly timeMs: number },
): VmRecord {
  if (vm.state === "DELETED") return vm;
  const fields = {
    spec: { ...vm.spec, wanted: "deleted" as const },
    generation: vm.spec.wanted === "deleted" ? vm.generation : vm.generation + 1,
    force: force || (vm.spec.wanted === "deleted" && vm.force),
    pendingAction: undefined,
    // Pauses grow from the first failure of the delete itself; asking again does not hurry one that fails, force does.
    retryCount: vm.spec.wanted === "deleted" ? vm.retryCount : 0,
    retryAtMs: vm.state === "DELETING" && (!force || vm.force) ? vm.retryAtMs : undefined,
  };
  if (vm.host !== undefined) return changeVm(pool, vm, timeMs, fields);
  return moveVm(pool, vm, "dropped", { timeMs, reason: "Deleted", fields });
}

/** A lease that stays as it is needs nobody's leave. */
function withChangedLease(pool: Pool, vm: VmRecord, { leaseDurationMs: askedMs = 0, ...spec }: VmSpec): VmSpec {
  const isSame = askedMs === (vm.spec.leaseDurationMs ?? 0);
  const leaseDurationMs = isSame ? vm.spec.leaseDurationMs : grantedLeaseMs(askedMs, pool.settings.vms);
  return leaseDurationMs === undefined ? spec : { ...spec, leaseDurationMs };
}

/** A copy has none, and that of a VM which is placed anew may have been deleted since it was placed first. */
function hasItsTemplate(pool: Pool, vm: VmRecord, spec: VmSpec): boolean {
  const isSame = spec.template === vm.spec.template && spec.templateVersion === vm.spec.templateVersion;
  return spec.sourceVm === undefined && (!isSame || pool.templates.has(spec.template));
}

function keptImage({ image }: VmRecord, spec: VmSpec): VmImage {
  return spec.readiness === undefined ? image : { ...image, readiness: spec.readiness };
}

/** What a revocation has stopped stays so. */
function checkMayBeUp(pool: Pool, vm: VmRecord): void {
  const template = pool.templates.get(vm.spec.template);
  if (template?.standing?.stopsRunning === true) checkNotRevoked(template);
}

/** Which states a wish can be made in; absent: all. */
function allowedStates(event: VmWant): readonly VmState[] | undefined {
  if (event.action !== undefined) return ["RUNNING"];
  const states: Readonly<Partial<Record<WantedState, readonly VmState[]>>> = {
    suspended: ["RUNNING", "SUSPENDING", "SUSPENDED"],
    paused: ["RUNNING", "PAUSING", "PAUSED"],
  };
  return states[event.wanted];
}

function findVm(pool: Pool, id: VmId): VmRecord {
  const vm = pool.vms.get(id);
  if (vm === undefined) throw notFound(`vms/${id}`);
  return vm;
}

function checkNotLeaving(vm: VmRecord): void {
  if (vm.spec.wanted !== "deleted" && vm.state !== "FAILED") return;
  const what = vm.state === "FAILED" ? "has failed" : "is being deleted";
  throw new MeridianError("STATE_NOT_ALLOWED", `vms/${vm.id} ${what}; make a new VM instead`, {
    resource: `vms/${vm.id}`,
    metadata: { state: vm.state, vm: `vms/${vm.id}` },
  });
}

function stateNotAllowed(vm: VmRecord, allowed: readonly VmState[]): MeridianError {
  return new MeridianError(
    "STATE_NOT_ALLOWED",
    `vms/${vm.id} is ${vm.state}; this needs it to be ${allowed.join(" or ")}`,
    {
      resource: `vms/${vm.id}`,
      metadata: { state: vm.state, vm: `vms/${vm.id}`, allowed: allowed.join(",") },
    },
  );
}
