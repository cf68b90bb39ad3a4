/** What operators ask of hosts: other specs (cordon, uncordon and drain among them), and to forget them. */
import { MeridianError, notFound } from "../../shared/errors.ts";
import type { HostDelete, HostRelease, HostUpdate } from "../pool/events/hosts.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import { endQuarantine } from "./blame.ts";
import { changeVm, failVm, moveVm, releasedHost } from "./change-vm.ts";
import { checkEtag, checkGeneration } from "./checks.ts";
import { revokeHost } from "./enrolment.ts";

export function applyHostUpdate(pool: Pool, event: HostUpdate, timeMs: number): HostRecord {
  const host = findHost(pool, event.id);
  checkEtag(host, event.etag, `hosts/${host.id}`);
  checkGeneration(host, event.baseGeneration, `hosts/${host.id}`);
  const { drainStart: known, ...others } = host;
  // A drain that is changed goes on.
  const drainStart = known ?? { timeMs, vmCount: pool.vmsOn(host.id).size };
  const after: HostRecord = {
    ...others,
    spec: event.spec,
    ...(event.spec.drain === undefined ? {} : { drainStart }),
    generation: host.generation + 1,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
  };
  pool.putHost(after);
  return after;
}

export function applyHostRelease(pool: Pool, event: HostRelease, timeMs: number): HostRecord {
  const host = findHost(pool, event.id);
  checkEtag(host, event.etag, `hosts/${host.id}`);
  return host.trouble === undefined ? host : endQuarantine(pool, host, timeMs, "operator");
}

export function applyHostDelete(pool: Pool, event: HostDelete, timeMs: number): HostRecord {
  const host = findHost(pool, event.id);
  checkEtag(host, event.etag, `hosts/${host.id}`);
  const vms = [...pool.vmsOn(host.id)];
  if (!event.force && pool.contact(host.id)?.isConnected === true) {
    throw notNow(host, "is connected; stop its agent first, or it will enrol again");
  }
  if (!event.force && vms.length > 0) {
    throw notNow(host, `still has ${vms.length} VMs of the pool; drain it first, or force it and give them up`);
  }
  for (const id of vms) {
    const vm = pool.vms.get(id);
    if (vm === undefined) continue;
    giveUp(pool, vm, timeMs);
  }
  pool.removeHost(host.id);
  // What the Mac was given opens nothing any more; a new join token does.
  if (pool.credentials.has(host.id)) revokeHost(pool, host.id, timeMs);
  return host;
}

/** The VM's host leaves the pool. */
function giveUp(pool: Pool, vm: VmRecord, timeMs: number): void {
  const reason = "HostDeleted";
  const nothingHeld = { ...releasedHost, command: undefined, retryAtMs: undefined };
  if (vm.state === "DELETING") {
    moveVm(pool, vm, "gone", { timeMs, reason, fields: nothingHeld });
  } else if (vm.state === "FAILED") {
    // It failed for a reason of its own, which stays.
    changeVm(pool, vm, timeMs, nothingHeld);
  } else {
    failVm(pool, vm, timeMs, {
      reason,
      message: `hosts/${vm.host} was removed from the pool; the VM may still be on that Mac`,
      suspect: "none",
      releasesHost: true,
    });
  }
}

function findHost(pool: Pool, id: HostUpdate["id"]): HostRecord {
  const host = pool.hosts.get(id);
  if (host === undefined) throw notFound(`hosts/${id}`);
  return host;
}

function notNow(host: HostRecord, why: string): MeridianError {
  return new MeridianError("STATE_NOT_ALLOWED", `hosts/${host.id} ${why}`, {
    resource: `hosts/${host.id}`,
    metadata: { host: `hosts/${host.id}`, state: host.state },
  });
}
