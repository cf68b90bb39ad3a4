/** What operators ask of hosts: other specs (cordon, uncordon and drain among them), and to forget them. */
import { MeridianError, notFound } from "../../shared/errors.ts";
import type { HostDelete, HostUpdate } from "../pool/events.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Pool } from "../pool/pool.ts";
import { failVm, moveVm, releasedHost } from "./change-vm.ts";
import { checkEtag, checkGeneration } from "./checks.ts";

export function applyHostUpdate(pool: Pool, event: HostUpdate, timeMs: number): HostRecord {
  const host = findHost(pool, event.id);
  checkEtag(host, event.etag, `hosts/${host.id}`);
  checkGeneration(host, event.baseGeneration, `hosts/${host.id}`);
  const after: HostRecord = {
    ...host,
    spec: event.spec,
    generation: host.generation + 1,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
  };
  pool.putHost(after);
  const deadlineMs = event.spec.drain?.deadlineMs;
  if (deadlineMs !== undefined) pool.deadlines.schedule(`host/${host.id}`, deadlineMs);
  return after;
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
    if (vm.state === "DELETING") {
      moveVm(pool, vm, "gone", { timeMs, reason: "HostDeleted", fields: { ...releasedHost, command: undefined } });
      continue;
    }
    failVm(pool, vm, timeMs, {
      reason: "HostDeleted",
      message: `hosts/${host.id} was removed from the pool; the VM may still be on that Mac`,
      suspect: "none",
      releasesHost: true,
    });
  }
  pool.removeHost(host.id);
  return host;
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
