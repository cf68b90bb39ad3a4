/** A host's record as clients see it, with what is known of it beside the record: its ledger and the contact with it. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Host,
  HostSchema,
  type HostStatus,
  type HostStatusSchema,
} from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import type { ConditionSchema } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import type { CredentialRecord } from "../../pool/enrolment.ts";
import { etagOf } from "../../pool/etag.ts";
import type { HostContact, HostRecord } from "../../pool/host.ts";
import type { HostLedger } from "../../pool/ledger.ts";
import type { Orphan } from "../../pool/orphan.ts";
import { isShut } from "../../pool/trouble.ts";
import type { PoolView } from "../../pool/view.ts";
import { nameOf } from "../resource-name.ts";
import { architectures, hostStateValues } from "./enums.ts";
import { toHostSpec } from "./host-spec.ts";
import type { ImageIndex } from "./image-index.ts";
import { quarantineConditions, quarantineOf } from "./quarantine.ts";
import { toDuration, toTimestamp } from "./time.ts";
import { toCondition } from "./types.ts";

export function toHost(view: PoolView, host: HostRecord, images: ImageIndex): Host {
  return create(HostSchema, {
    name: nameOf("hosts", host.id),
    uid: host.uid,
    spec: toHostSpec(host.spec),
    status: {
      ...factsOf(host),
      ...useOf(view.ledger(host.id)),
      ...contactOf(view.contact(host.id)),
      ...quarantineOf(host),
      ...credentialOf(view.credentials.get(host.id)),
      ...drainOf(view, host),
      state: hostStateValues[host.state],
      conditions: conditionsOf(view, host),
      placeable: isPlaceable(view, host),
      templates: images.templatesOn(host).map((id) => nameOf("templates", id)),
      vmCount: view.vmsOn(host.id).size,
      foreignVmCount: host.foreignVms.length,
      agentLabels: { ...host.agentLabels },
      sessionEpoch: BigInt(host.epoch),
    },
    generation: BigInt(host.generation),
    createTime: toTimestamp(host.createTimeMs),
    updateTime: toTimestamp(host.updateTimeMs),
    etag: etagOf(host),
  });
}

function credentialOf(credential: CredentialRecord | undefined): Status {
  if (credential === undefined) return {};
  const { certificates, revokedTimeMs } = credential;
  const newest = certificates.at(-1);
  return {
    ...(newest !== undefined && {
      certificate: {
        fingerprint: newest.fingerprint,
        serialNumber: newest.serial,
        issueTime: toTimestamp(newest.issueTimeMs),
        expireTime: toTimestamp(newest.expireTimeMs),
        caFingerprint: newest.caFingerprint,
      },
    }),
    ...(revokedTimeMs !== undefined && { revokeTime: toTimestamp(revokedTimeMs) }),
  };
}

/** Whether a VM could be placed there now, had the host room. */
export function isPlaceable(view: PoolView, host: HostRecord): boolean {
  return (
    isTalking(view, host) &&
    host.spec.schedulable &&
    host.spec.drain === undefined &&
    !isShut(host) &&
    host.conditions.every((condition) => condition.holds)
  );
}

/** After a restart of the server a host is still READY, but has to be heard again before it gets VMs. */
function isTalking(view: PoolView, host: HostRecord): boolean {
  return host.state === "READY" && view.contact(host.id)?.isConnected === true;
}

/** Parts of the status, to be put together. */
type Status = Exclude<MessageInitShape<typeof HostStatusSchema>, HostStatus>;

function factsOf(host: HostRecord): Status {
  const { facts } = host;
  if (facts === undefined) return {};
  return {
    architecture: architectures[facts.architecture],
    chip: facts.chip,
    macosVersion: facts.macosVersion,
    parallelsVersion: facts.parallelsVersion,
    parallelsServiceVersion: facts.serviceVersion,
    agentVersion: facts.agentVersion,
    licence: facts.licence,
    address: facts.address,
  };
}

function useOf(ledger: HostLedger): Status {
  return {
    capacity: {
      cpuCount: ledger.cpuCapacity,
      memoryMib: ledger.memoryCapacityMib,
      diskMib: ledger.diskCapacityMib,
    },
    allocated: { cpuCount: ledger.cpuTaken, memoryMib: ledger.memoryTakenMib, diskMib: ledger.diskTakenMib },
    macosSlots: ledger.macosSlots,
    macosSlotsUsed: ledger.macosTaken,
  };
}

function contactOf(contact: HostContact | undefined): Status {
  // 0: the server has not heard of it since it started.
  if (contact === undefined || contact.heardAtMs === 0) return {};
  return {
    observed: {
      cpuCount: contact.inUse.cpuCount,
      memoryMib: contact.inUse.memoryMib,
      diskFreeMib: contact.diskFreeMib,
      diskTotalMib: contact.diskTotalMib,
      macosGuests: contact.macosGuests,
    },
    heartbeatTime: toTimestamp(contact.heardAtMs),
    heartbeatPeriod: toDuration(contact.heartbeatPeriodMs),
  };
}

function drainOf(view: PoolView, { id, spec, drainStart }: HostRecord): Status {
  if (spec.drain === undefined) return {};
  const vmsRemaining = view.vmsOn(id).size;
  return {
    drain: {
      vmsRemaining,
      vmsAtStart: Math.max(vmsRemaining, drainStart?.vmCount ?? 0),
      ...(drainStart === undefined ? {} : { since: toTimestamp(drainStart.timeMs) }),
      ...(spec.drain.deadlineMs === undefined ? {} : { deadline: toTimestamp(spec.drain.deadlineMs) }),
    },
  };
}

/** "Connected", "Schedulable", "Drained" while it is being drained, and what the agent's preflight found. */
function conditionsOf(view: PoolView, host: HostRecord): MessageInitShape<typeof ConditionSchema>[] {
  const { drain, schedulable } = host.spec;
  const vmCount = view.vmsOn(host.id).size;
  const isAwaited = host.state === "READY" && !isTalking(view, host);
  const isSchedulable = schedulable && drain === undefined;
  const conditions = [
    toCondition({
      type: "Connected",
      holds: isAwaited ? undefined : host.state === "READY",
      reason: isAwaited ? "Reconnecting" : `${host.state.charAt(0)}${host.state.slice(1).toLowerCase()}`,
      message: isAwaited ? "no session is open; the host is given time to return" : connectedMessages[host.state],
      sinceMs: host.stateSinceMs,
    }),
    toCondition({
      type: "Schedulable",
      holds: isSchedulable,
      reason: schedulableReason(host),
      message: isSchedulable ? "new VMs may be placed here" : "no new VM is placed here",
      sinceMs: host.updateTimeMs,
    }),
  ];
  if (drain !== undefined) {
    conditions.push(
      toCondition({
        type: "Drained",
        holds: vmCount === 0,
        reason: vmCount === 0 ? "Empty" : "VmsRemain",
        message: vmCount === 0 ? "no VM of the pool is left" : `VMs of the pool that are still here: ${vmCount}`,
        sinceMs: vmCount === 0 ? host.updateTimeMs : (host.drainStart?.timeMs ?? host.updateTimeMs),
      }),
    );
  }
  conditions.push(...quarantineConditions(host, view.settings));
  const { orphans } = host;
  if (orphans.length > 0) {
    conditions.push(
      toCondition({
        type: "NoOrphans",
        holds: false,
        reason: "OrphansFound",
        message: `VMs that carry the pool's names, or that it has let go of, are removed here: ${describeOrphans(orphans)}`,
        sinceMs: host.updateTimeMs,
      }),
    );
  }
  return [...conditions, ...host.conditions.map(toCondition)];
}

function describeOrphans(orphans: readonly Orphan[]): string {
  const named = orphans.slice(0, orphansNamedMax).map(({ name, removeAtMs, commandId, retryCount }) => {
    if (commandId !== undefined) return `${name} now${retryCount === 0 ? "" : ` (attempt ${retryCount + 1})`}`;
    return `${name} at ${new Date(removeAtMs).toISOString()}`;
  });
  const more = orphans.length - named.length;
  return `${named.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
}

/** A condition is one line of a table. */
const orphansNamedMax = 4;

const connectedMessages: Readonly<Record<HostRecord["state"], string>> = {
  ENROLLED: "the host has never connected",
  READY: "the host talks to the server",
  DISCONNECTED: "the host is silent; its VMs are kept",
  LOST: "the host has been silent for too long",
};

function schedulableReason(host: HostRecord): string {
  if (host.spec.drain !== undefined) return "Draining";
  return host.spec.schedulable ? "Uncordoned" : "Cordoned";
}
