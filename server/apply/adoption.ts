/** Takes a VM that stands on a host, and that the pool does not own, into the pool, as it is and under its own name. */

import { MeridianError, notFound } from "../../shared/errors.ts";
import { asTemplateId } from "../../shared/ids.ts";
import type { VmAdopt } from "../pool/events/vms.ts";
import type { HostRecord, HostVm } from "../pool/host.ts";
import { leaseEndFrom } from "../pool/lease.ts";
import { orphansAmong } from "../pool/orphan.ts";
import type { Pool } from "../pool/pool.ts";
import type { GuestOs, VmImage, VmRecord, VmState, WantedState } from "../pool/vm.ts";
import { changeHost } from "./change-host.ts";
import { alreadyExists, findRepeated, rememberRequest, repeatedButGone } from "./checks.ts";
import { grantedLeaseMs } from "./granted-lease.ts";
import { sightOf } from "./sightings.ts";

export function applyVmAdopt(pool: Pool, event: VmAdopt, timeMs: number): VmRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) {
    const made = pool.findVmByUid(repeated.uid);
    if (made === undefined) throw repeatedButGone(`vms/${repeated.resourceId}`);
    return made;
  }
  const existing = pool.vms.get(event.id);
  if (existing !== undefined && existing.state !== "DELETED") throw alreadyExists(`vms/${event.id}`);
  const host = pool.hosts.get(event.host);
  if (host === undefined) throw notFound(`hosts/${event.host}`);
  const hostVm = adoptable(pool, host, event.hostVm);
  const rest = restOf(host, hostVm);
  const leaseDurationMs = grantedLeaseMs(event.spec.leaseDurationMs, pool.settings.vms);
  if (existing !== undefined) pool.removeVm(existing.id);
  const foreignVms = host.foreignVms.filter(({ id }) => id !== hostVm.id);
  const orphans = orphansAmong(pool, foreignVms, { known: host.orphans, timeMs });
  changeHost(pool, host, timeMs, { foreignVms, orphans });
  const adopted = adoptedRecord(pool, event, { host, hostVm, rest, leaseDurationMs, timeMs });
  pool.putVm(adopted);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  return adopted;
}

/** The one foreign VM of that id or name, if it may be taken. */
function adoptable(pool: Pool, host: HostRecord, idOrName: string): HostVm {
  for (const id of pool.vmsOn(host.id)) {
    const sight = pool.vms.get(id)?.sight;
    if (sight?.id === idOrName || sight?.name === idOrName)
      throw notNow(host, idOrName, `is the pool's own: vms/${id}`);
  }
  const byId = host.foreignVms.filter(({ id }) => id === idOrName);
  const found = byId.length > 0 ? byId : host.foreignVms.filter(({ name }) => name === idOrName);
  const [hostVm] = found;
  if (hostVm === undefined) throw notFound(`hosts/${host.id}/vms/${idOrName}`);
  if (found.length > 1) throw notNow(host, idOrName, `is the name of ${found.length} VMs there; give the id`);
  if (pool.contact(host.id)?.isConnected !== true) {
    throw notNow(host, idOrName, "cannot be taken while its host does not talk to the server");
  }
  const orphan = host.orphans.find(({ id }) => id === hostVm.id);
  if (orphan?.commandId !== undefined) throw notNow(host, idOrName, "is being removed");
  for (const { id, spec } of pool.templates.values()) {
    if (spec.source.kind === "host-vm" && spec.source.vmName === hostVm.name) {
      throw notNow(host, idOrName, `is what VMs of templates/${id} are cloned from`);
    }
  }
  return hostVm;
}

interface Rest {
  readonly state: VmState;
  readonly wanted: WantedState;
}

/** What the host's words for a VM at rest mean. */
const rests: ReadonlyMap<string, Rest> = new Map([
  ["running", { state: "RUNNING", wanted: "running" }],
  ["stopped", { state: "STOPPED", wanted: "stopped" }],
  ["suspended", { state: "SUSPENDED", wanted: "suspended" }],
  ["paused", { state: "PAUSED", wanted: "paused" }],
]);

function restOf(host: HostRecord, { name, state }: HostVm): Rest {
  const rest = rests.get(state);
  if (rest === undefined) throw notNow(host, name, `is ${state}; wait until it runs or rests`);
  return rest;
}

function adoptedRecord(
  pool: Pool,
  event: VmAdopt,
  {
    host,
    hostVm,
    rest,
    leaseDurationMs,
    timeMs,
  }: {
    readonly host: HostRecord;
    readonly hostVm: HostVm;
    readonly rest: Rest;
    readonly leaseDurationMs: number | undefined;
    readonly timeMs: number;
  },
): VmRecord {
  const { wanted = rest.wanted, leaseDurationMs: _, ...others } = event.spec;
  const parts = leaseDurationMs === undefined ? others : { ...others, leaseDurationMs };
  const image: VmImage = {
    source: { kind: "adopted", name: hostVm.name },
    guestOs: guestOsOf(hostVm),
    architecture: host.facts?.architecture ?? "arm64",
    resources: hostVm.resources,
    readiness: parts.readiness ?? { probe: { kind: "none" }, periodMs: 1000, timeoutMs: 300_000 },
  };
  return {
    id: event.id,
    uid: event.uid,
    ...(event.owner === undefined ? {} : { owner: event.owner }),
    // It is made of no template.
    spec: { ...parts, wanted, template: asTemplateId("") },
    generation: 1,
    observedGeneration: 1,
    createTimeMs: timeMs,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
    image,
    resources: hostVm.resources,
    state: rest.state,
    stateSinceMs: timeMs,
    message: "",
    host: host.id,
    attempt: 1,
    commandCount: 0,
    force: false,
    sight: sightOf(hostVm),
    retryCount: 0,
    leaseEndMs: leaseEndFrom(leaseDurationMs, timeMs),
    timeline: [{ state: rest.state, timeMs, reason: "Adopted" }],
  };
}

function guestOsOf({ isMacos, os }: HostVm): GuestOs {
  if (isMacos) return "macos";
  return os.toLowerCase().startsWith("win") ? "windows" : "linux";
}

function notNow(host: HostRecord, vm: string, why: string): MeridianError {
  const resource = `hosts/${host.id}`;
  return new MeridianError("STATE_NOT_ALLOWED", `"${vm}" on ${resource} ${why}`, {
    resource,
    metadata: { host: resource, vm, state: host.state },
  });
}
