/** A VM's record as clients see it. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ConditionSchema } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import {
  type PreemptionNoticeSchema,
  type Vm,
  type VmFailureSchema,
  type VmProgressSchema,
  VmSchema,
  type VmStatusSchema,
} from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { etagOf } from "../../pool/etag.ts";
import { pendingExpiry } from "../../pool/lease.ts";
import { describeNotice, type PreemptionNotice } from "../../pool/preemption.ts";
import { reservationOf } from "../../pool/reservation.ts";
import type { VmFailure, VmProgress, VmRecord } from "../../pool/vm.ts";
import { nameOf } from "../resource-name.ts";
import { architectures, guestSystems, suspects, vmStateValues } from "./enums.ts";
import { toDuration, toTimestamp } from "./time.ts";
import { toCondition } from "./types.ts";
import { toVmSpec } from "./vm-spec-message.ts";

/** @param waiting says what a waiting VM waits for; called for those alone. */
export function toVm(vm: VmRecord, waiting: (vm: VmRecord) => string): Vm {
  return create(VmSchema, {
    name: nameOf("vms", vm.id),
    uid: vm.uid,
    spec: toVmSpec(vm.spec),
    status: toStatus(vm, vm.state === "PENDING" ? waiting(vm) : vm.message),
    generation: BigInt(vm.generation),
    createTime: toTimestamp(vm.createTimeMs),
    updateTime: toTimestamp(vm.updateTimeMs),
    etag: etagOf(vm),
    owner: vm.owner ?? "",
  });
}

function toStatus(vm: VmRecord, message: string): MessageInitShape<typeof VmStatusSchema> {
  const { image, sight, progress, failure, notice } = vm;
  const reservation = reservationOf(vm);
  const expiry = pendingExpiry(vm);
  return {
    state: vmStateValues[vm.state],
    message,
    host: vm.host === undefined ? "" : nameOf("hosts", vm.host),
    ipAddresses: [...(sight?.ipAddresses ?? [])],
    resources: { ...vm.resources },
    guestOs: guestSystems[image.guestOs],
    architecture: architectures[image.architecture],
    templateVersion: image.source.kind === "catalog" ? image.source.version : "",
    reservedHost: reservation === undefined ? "" : nameOf("hosts", reservation.host),
    hostVmName: sight?.name ?? "",
    hostVmId: sight?.id ?? "",
    hostVmState: sight?.state ?? "",
    ...(progress === undefined ? {} : { progress: toProgress(progress) }),
    conditions: toConditions(vm, message),
    ...(failure === undefined ? {} : { failure: toFailure(failure) }),
    attempt: vm.attempt,
    timeline: vm.timeline.map((entry) => ({
      state: vmStateValues[entry.state],
      time: toTimestamp(entry.timeMs),
      reason: entry.reason,
    })),
    observedGeneration: BigInt(vm.observedGeneration),
    ...(notice === undefined || vm.state === "DELETED" ? {} : { preemptionNotice: toNotice(notice) }),
    ...(expiry === undefined ? {} : { expireTime: toTimestamp(expiry.atMs) }),
  };
}

function toNotice({ vm, sinceMs, endMs }: PreemptionNotice): MessageInitShape<typeof PreemptionNoticeSchema> {
  return { vm: nameOf("vms", vm), noticeTime: toTimestamp(sinceMs), endTime: toTimestamp(endMs) };
}

function toProgress(progress: VmProgress): MessageInitShape<typeof VmProgressSchema> {
  const { step, percent, message, etaMs } = progress;
  return { step, percent, message, ...(etaMs > 0 ? { eta: toDuration(etaMs) } : {}) };
}

function toFailure(failure: VmFailure): MessageInitShape<typeof VmFailureSchema> {
  return {
    reason: failure.reason,
    message: failure.message,
    suspect: suspects[failure.suspect],
    host: failure.host === undefined ? "" : nameOf("hosts", failure.host),
    time: toTimestamp(failure.timeMs),
  };
}

/**
 * "Placed": it has a host. "Ready": it can be used; not known while its host does not talk. "MayStay": only of a VM that gives way to
 * another, and FALSE. "TemplateTrusted": only of a VM that was asked for while its template was tainted, and FALSE.
 */
function toConditions(vm: VmRecord, message: string): MessageInitShape<typeof ConditionSchema>[] {
  const isPlaced = vm.host !== undefined;
  const placedSinceMs = vm.timeline.findLast((entry) => entry.state === "PLACED")?.timeMs;
  return [
    toCondition({
      type: "Placed",
      holds: isPlaced,
      reason: isPlaced ? "HostChosen" : "NoHost",
      message: isPlaced ? `stands on hosts/${vm.host}` : message,
      sinceMs: (isPlaced ? placedSinceMs : undefined) ?? vm.stateSinceMs,
    }),
    toCondition({
      type: "Ready",
      holds: vm.state === "UNKNOWN" ? undefined : vm.state === "RUNNING",
      reason: `${vm.state.charAt(0)}${vm.state.slice(1).toLowerCase()}`,
      message,
      sinceMs: vm.stateSinceMs,
    }),
    ...(vm.notice === undefined
      ? []
      : [
          toCondition({
            type: "MayStay",
            holds: false,
            reason: "Preempted",
            message: describeNotice(vm.notice),
            sinceMs: vm.notice.sinceMs,
          }),
        ]),
    ...(vm.taint === undefined
      ? []
      : [
          toCondition({
            type: "TemplateTrusted",
            holds: false,
            reason: "TemplateTainted",
            message: `templates/${vm.spec.template} was tainted when the VM was asked for: ${vm.taint}`,
            sinceMs: vm.createTimeMs,
          }),
        ]),
  ];
}
