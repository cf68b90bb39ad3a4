/** Reads what a client wants of a VM: every field checked, every default filled in. */
import { create } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  type VmPlacement as VmPlacementMessage,
  VmPlacementSchema,
  type VmSpec as VmSpecMessage,
} from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { TemplateId } from "../../../shared/ids.ts";
import { asTemplateId } from "../../../shared/ids.ts";
import type { VmPlacement, VmSpec, WantedState } from "../../pool/vm.ts";
import type { FieldChecks } from "../field-checks.ts";
import {
  annotationsLengthMax,
  annotationsMax,
  annotationValueLengthMax,
  leaseDurationMs,
  maxLifetimeMs,
  pendingTimeoutMs,
  priorityMax,
  projectLengthMax,
  retryAttemptsMax,
} from "../limits.ts";
import { checkName, templateNamePattern } from "../resource-name.ts";
import { architectures, hostLossPolicies, optionalWord, strategies, wantedStates } from "./enums.ts";
import { readDuration } from "./time.ts";
import {
  checkLabelKey,
  entryPath,
  type Field,
  readLabelExpressions,
  readLabels,
  readReadiness,
  readResources,
} from "./types.ts";

const defaultProject = "default";
const defaultPriority = 50;

/** @param field such as `vm.spec`; the faults found are in `checks`. */
export function readVmSpec(checks: FieldChecks, field: Field<VmSpecMessage>): VmSpec {
  const { path, value: spec } = field;
  if (spec.sourceVm !== "") checks.refuse(`${path}.source_vm`, "is set by CloneVm alone");
  return {
    ...readTemplateName(checks, { path: `${path}.template`, value: spec.template }),
    ...readVmSpecParts(checks, field),
  };
}

/** All but `template` and `source_vm`, which a copy has from its original. */
export type VmSpecParts = Omit<VmSpec, "template" | "templateVersion" | "sourceVm">;

export function readVmSpecParts(checks: FieldChecks, field: Field<VmSpecMessage>): VmSpecParts {
  const { path, value: spec } = field;
  const readiness = readReadiness(checks, { path: `${path}.readiness`, value: spec.readiness });
  const timeoutField = { path: `${path}.pending_timeout`, value: spec.pendingTimeout };
  const leaseField = { path: `${path}.lease_duration`, value: spec.leaseDuration };
  const leaseMs = readLease(checks, leaseField);
  const lifetimeField = { path: `${path}.max_lifetime`, value: spec.maxLifetime };
  const lifetimeMs = readDuration(checks, lifetimeField, maxLifetimeMs);
  return {
    project: readProject(checks, { path: `${path}.project`, value: spec.project }),
    resources: readResources(checks, { path: `${path}.resources`, value: spec.resources }, "allowed"),
    placement: readPlacement(checks, { path: `${path}.placement`, value: spec.placement }),
    priority: checks.number(`${path}.priority`, spec.priority ?? defaultPriority, { least: 0, most: priorityMax }),
    wanted: readWanted(checks, { path: `${path}.wanted`, value: spec.wanted }),
    pendingTimeoutMs: readDuration(checks, timeoutField, pendingTimeoutMs) ?? 0,
    ...readPolicies(checks, field),
    ...(leaseMs === undefined ? {} : { leaseDurationMs: leaseMs }),
    ...(lifetimeMs === undefined ? {} : { maxLifetimeMs: lifetimeMs }),
    ...(readiness === undefined ? {} : { readiness }),
    labels: readLabels(checks, { path: `${path}.labels`, value: spec.labels }),
    annotations: readAnnotations(checks, { path: `${path}.annotations`, value: spec.annotations }),
  };
}

/** 0 is without a lease, whatever the settings give to those who do not say. */
function readLease(checks: FieldChecks, field: Field<Duration | undefined>): number | undefined {
  const isNone = field.value?.seconds === 0n && field.value.nanos === 0;
  return isNone ? 0 : readDuration(checks, field, leaseDurationMs);
}

/** What becomes of it when its host is lost or cannot make it, and whether others may go before it. */
function readPolicies(
  checks: FieldChecks,
  { path, value }: Field<VmSpecMessage>,
): Pick<VmSpec, "onHostLost" | "retryAttempts" | "preemptible"> {
  const onHostLost = optionalWord(checks, { path: `${path}.on_host_lost`, value: value.onHostLost }, hostLossPolicies);
  const bounds = { least: 0, most: retryAttemptsMax };
  const retryAttempts = checks.number(`${path}.retry_attempts`, value.retryAttempts, bounds);
  return {
    ...(onHostLost === undefined || onHostLost === "keep" ? {} : { onHostLost }),
    ...(retryAttempts === 0 ? {} : { retryAttempts }),
    ...(value.preemptible ? { preemptible: true } : {}),
  };
}

interface TemplateReference {
  readonly template: TemplateId;
  readonly templateVersion?: string;
}

function readTemplateName(checks: FieldChecks, field: Field<string>): TemplateReference {
  const groups = templateNamePattern.exec(field.value)?.groups;
  const id = groups?.["id"];
  const version = groups?.["version"];
  if (id === undefined) {
    checks.refuse(field.path, 'must be "templates/{template}" or "templates/{template}/versions/{version}"');
    return { template: asTemplateId("") };
  }
  return { template: asTemplateId(id), ...(version === undefined ? {} : { templateVersion: version }) };
}

function readProject(checks: FieldChecks, field: Field<string>): string {
  if (field.value === "") return defaultProject;
  if (field.value.length > projectLengthMax) {
    checks.refuse(field.path, `must have at most ${projectLengthMax} characters`);
    return field.value;
  }
  return checks.pattern(field.path, field.value, projectPattern, 'lower-case letters, digits and "-"');
}

const projectPattern = /^[a-z](?:[a-z0-9-]*[a-z0-9])?$/;

function readWanted(checks: FieldChecks, field: Field<VmSpecMessage["wanted"]>): WantedState {
  const wanted = optionalWord(checks, field, wantedStates) ?? "running";
  if (wanted === "deleted") checks.refuse(field.path, "cannot be DELETED; call DeleteVm");
  return wanted;
}

function readPlacement(checks: FieldChecks, field: Field<VmPlacementMessage | undefined>): VmPlacement {
  const { path } = field;
  const placement = field.value ?? create(VmPlacementSchema);
  const architectureField = { path: `${path}.architecture`, value: placement.architecture };
  const architecture = optionalWord(checks, architectureField, architectures);
  const host =
    placement.host === "" ? undefined : checkName(checks, "hosts", { path: `${path}.host`, value: placement.host });
  const { spreadKey } = placement;
  if (spreadKey !== "") checkLabelKey(checks, `${path}.spread_key`, spreadKey);
  const strategyField = { path: `${path}.strategy`, value: placement.strategy };
  const strategy = optionalWord(checks, strategyField, strategies);
  return {
    ...(architecture === undefined ? {} : { architecture }),
    ...(host === undefined ? {} : { host }),
    required: readLabelExpressions(checks, { path: `${path}.required`, value: placement.required }),
    preferred: readLabelExpressions(checks, { path: `${path}.preferred`, value: placement.preferred }),
    ...(spreadKey === "" ? {} : { spreadKey }),
    ...(strategy === undefined ? {} : { strategy }),
  };
}

function readAnnotations(
  checks: FieldChecks,
  field: Field<Readonly<Record<string, string>>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(field.value);
  checks.count(field.path, entries.length, annotationsMax);
  let length = 0;
  for (const [key, value] of entries.slice(0, annotationsMax)) {
    const path = entryPath(field.path, key);
    checkLabelKey(checks, path, key);
    checks.text(path, value, { lengthMax: annotationValueLengthMax, canBeEmpty: true, canHaveLines: true });
    length += key.length + value.length;
  }
  if (length > annotationsLengthMax) {
    checks.refuse(field.path, `must have at most ${annotationsLengthMax} characters in all, not ${length}`);
  }
  return field.value;
}
