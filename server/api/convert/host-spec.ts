/** What operators want of a host: read from requests, and written into answers. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type HostDrain as HostDrainMessage,
  type HostLimits as HostLimitsMessage,
  HostLimitsSchema,
  type HostSpec as HostSpecMessage,
  type HostSpecSchema,
} from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import type { Resources as ResourcesMessage } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import type { HostDrain, HostLimits, HostSpec } from "../../pool/host.ts";
import type { Resources } from "../../pool/vm.ts";
import type { FieldChecks } from "../field-checks.ts";
import { descriptionLengthMax, macosSlots, overcommit, parallelCreates, resourceBounds } from "../limits.ts";
import { drainEnds, optionalWord } from "./enums.ts";
import { readTimestamp, toTimestamp } from "./time.ts";
import { type Field, readLabels } from "./types.ts";

/** @param field such as `host.spec`; the faults found are in `checks`. */
export function readHostSpec(checks: FieldChecks, field: Field<HostSpecMessage>): HostSpec {
  const { path, value: spec } = field;
  const drain =
    spec.drain === undefined ? {} : { drain: readDrain(checks, { path: `${path}.drain`, value: spec.drain }) };
  return {
    schedulable: spec.schedulable ?? true,
    ...drain,
    labels: readLabels(checks, { path: `${path}.labels`, value: spec.labels }),
    reserved: readReserved(checks, { path: `${path}.reserved`, value: spec.reserved }),
    limits: readLimits(checks, { path: `${path}.limits`, value: spec.limits ?? create(HostLimitsSchema) }),
  };
}

export function toHostSpec(spec: HostSpec): MessageInitShape<typeof HostSpecSchema> {
  const { drain } = spec;
  return {
    schedulable: spec.schedulable,
    ...(drain === undefined
      ? {}
      : {
          drain: {
            reason: drain.reason,
            // oxlint-disable-next-line unicorn/no-thenable -- the protocol's word for what comes then; no function.
            then: drainEnds[drain.then],
            ...(drain.deadlineMs === undefined ? {} : { deadline: toTimestamp(drain.deadlineMs) }),
          },
        }),
    labels: { ...spec.labels },
    reserved: { ...spec.reserved },
    limits: { ...spec.limits },
  };
}

function readDrain(checks: FieldChecks, field: Field<HostDrainMessage>): HostDrain {
  const { path, value: drain } = field;
  const deadlineField = { path: `${path}.deadline`, value: drain.deadline };
  const deadlineMs = readTimestamp(checks, deadlineField, { least: 0, most: latestTimeMs });
  return {
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    reason: checks.text(`${path}.reason`, drain.reason, { lengthMax: descriptionLengthMax, canBeEmpty: true }),
    // oxlint-disable-next-line unicorn/no-thenable -- the protocol's word for what comes then; no function.
    then: optionalWord(checks, { path: `${path}.then`, value: drain.then }, drainEnds) ?? "stay-cordoned",
  };
}

/** The year 2200. */
const latestTimeMs = 7_258_118_400_000;

function readReserved(checks: FieldChecks, field: Field<ResourcesMessage | undefined>): Resources {
  const { cpuCount = 0, memoryMib = 0, diskMib = 0 } = field.value ?? {};
  const { path } = field;
  return {
    cpuCount: checks.number(`${path}.cpu_count`, cpuCount, { least: 0, most: resourceBounds.cpuCount.most }),
    memoryMib: checks.number(`${path}.memory_mib`, memoryMib, { least: 0, most: resourceBounds.memoryMib.most }),
    diskMib: checks.number(`${path}.disk_mib`, diskMib, { least: 0, most: resourceBounds.diskMib.most }),
  };
}

function readLimits(checks: FieldChecks, field: Field<HostLimitsMessage>): HostLimits {
  const { path, value: limits } = field;
  return {
    macosSlots: checks.number(`${path}.macos_slots`, limits.macosSlots ?? macosSlots.default, macosSlots),
    parallelCreates: checks.number(
      `${path}.parallel_creates`,
      limits.parallelCreates ?? parallelCreates.default,
      parallelCreates,
    ),
    cpuOvercommit: checks.number(`${path}.cpu_overcommit`, limits.cpuOvercommit ?? 1, overcommit.cpu),
    memoryOvercommit: checks.number(`${path}.memory_overcommit`, limits.memoryOvercommit ?? 1, overcommit.memory),
    diskOvercommit: checks.number(`${path}.disk_overcommit`, limits.diskOvercommit ?? 1, overcommit.disk),
  };
}
