/** What several resources have in common: amounts, labels, label expressions, probes and conditions. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Condition_State,
  type ConditionSchema,
  type LabelExpression as LabelExpressionMessage,
  type LabelExpressionSchema,
  type ReadinessProbe,
  type ReadinessProbeSchema,
  type Resources as ResourcesMessage,
} from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import type { LabelExpression } from "../../pool/labels.ts";
import type { Probe, Readiness, Resources } from "../../pool/vm.ts";
import { type FieldChecks, isPrintable, type NumberBounds } from "../field-checks.ts";
import {
  labelExpressionsMax,
  labelExpressionValuesMax,
  labelsMax,
  labelValueLengthMax,
  probeCommandLengthMax,
  probePeriodMs,
  probeTimeoutSeconds,
  resourceBounds,
} from "../limits.ts";
import { labelOperators, requiredWord } from "./enums.ts";
import { toTimestamp } from "./time.ts";

/** A field of a request: where it stands and what it holds. */
export interface Field<T> {
  readonly path: string;
  readonly value: T;
}

/** @param zero whether 0 may stand for "not said". */
export function readResources(
  checks: FieldChecks,
  field: Field<ResourcesMessage | undefined>,
  zero: "allowed" | "refused",
): Resources {
  const { cpuCount = 0, memoryMib = 0, diskMib = 0 } = field.value ?? {};
  const amount = (name: string, value: number, bounds: NumberBounds): number => {
    if (value === 0 && zero === "allowed") return 0;
    return checks.number(`${field.path}.${name}`, value, bounds);
  };
  return {
    cpuCount: amount("cpu_count", cpuCount, resourceBounds.cpuCount),
    memoryMib: amount("memory_mib", memoryMib, resourceBounds.memoryMib),
    diskMib: amount("disk_mib", diskMib, resourceBounds.diskMib),
  };
}

/** Keys as Kubernetes has them: an optional DNS prefix, "/", and letters, digits, "-", "_" and ".". */
const labelKeyPattern = /^(?:[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const labelKeyDescription =
  'letters, digits, "-", "_" and ".", at most 63, beginning and ending with a letter or digit; before it may stand a DNS name and "/"';

export function checkLabelKey(checks: FieldChecks, path: string, key: string): void {
  checks.pattern(path, key, labelKeyPattern, labelKeyDescription);
}

export function readLabels(
  checks: FieldChecks,
  field: Field<Readonly<Record<string, string>>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(field.value);
  checks.count(field.path, entries.length, labelsMax);
  for (const [key, value] of entries.slice(0, labelsMax)) {
    const path = entryPath(field.path, key);
    checkLabelKey(checks, path, key);
    checks.text(path, value, { lengthMax: labelValueLengthMax, canBeEmpty: true });
  }
  return field.value;
}

/** The path of a map's entry. What cannot be printed of a key is left out: the path goes into messages. */
export function entryPath(path: string, key: string): string {
  return isPrintable(key) && key.length <= labelValueLengthMax ? `${path}.${key}` : path;
}

export function readLabelExpressions(
  checks: FieldChecks,
  field: Field<readonly LabelExpressionMessage[]>,
): readonly LabelExpression[] {
  checks.count(field.path, field.value.length, labelExpressionsMax);
  return field.value.slice(0, labelExpressionsMax).map((expression, index) => {
    const path = `${field.path}[${index}]`;
    checkLabelKey(checks, `${path}.key`, expression.key);
    const operatorField = { path: `${path}.operator`, value: expression.operator };
    const operator = requiredWord(checks, operatorField, labelOperators) ?? "exists";
    checkExpressionValues(checks, { path: `${path}.values`, value: expression.values }, operator);
    return { key: expression.key, operator, values: expression.values };
  });
}

function checkExpressionValues(
  checks: FieldChecks,
  field: Field<readonly string[]>,
  operator: LabelExpression["operator"],
): void {
  const { path, value: values } = field;
  checks.count(path, values.length, labelExpressionValuesMax);
  for (const value of values.slice(0, labelExpressionValuesMax)) {
    checks.text(path, value, { lengthMax: labelValueLengthMax, canBeEmpty: true });
  }
  if (operator === "exists" || operator === "does-not-exist") {
    if (values.length > 0) checks.refuse(path, "must be empty with this operator");
  } else if (operator === "gt" || operator === "lt") {
    if (values.length !== 1 || !/^-?\d{1,15}$/.test(values[0] ?? "")) checks.refuse(path, "must be one whole number");
  } else if (values.length === 0) {
    checks.refuse(path, "must not be empty with this operator");
  }
}

export function toLabelExpression(expression: LabelExpression): MessageInitShape<typeof LabelExpressionSchema> {
  return { key: expression.key, operator: labelOperators[expression.operator], values: [...expression.values] };
}

/** The probe with its defaults filled in; undefined if it is absent. */
export function readReadiness(checks: FieldChecks, field: Field<ReadinessProbe | undefined>): Readiness | undefined {
  if (field.value === undefined) return undefined;
  const { path, value } = field;
  const periodMs = value.periodMs === 0 ? probePeriodMs.default : value.periodMs;
  const timeoutSeconds = value.timeoutSeconds === 0 ? probeTimeoutSeconds.default : value.timeoutSeconds;
  return {
    probe: readProbe(checks, { path, value: value.probe }),
    periodMs: checks.number(`${path}.period_ms`, periodMs, probePeriodMs),
    timeoutMs: checks.number(`${path}.timeout_seconds`, timeoutSeconds, probeTimeoutSeconds) * 1000,
  };
}

function readProbe(checks: FieldChecks, field: Field<ReadinessProbe["probe"]>): Probe {
  const { path, value: probe } = field;
  switch (probe.case) {
    case undefined:
      return { kind: "none" };
    case "guestTools":
      if (!probe.value) checks.refuse(`${path}.guest_tools`, "must be true, or absent for no probe");
      return { kind: "guest-tools" };
    case "exec":
      checks.text(`${path}.exec`, probe.value, { lengthMax: probeCommandLengthMax, canHaveLines: true });
      return { kind: "exec", command: probe.value };
    case "tcpPort":
      checks.number(`${path}.tcp_port`, probe.value, { least: 1, most: 65_535 });
      return { kind: "tcp-port", port: probe.value };
    default:
      return probe satisfies never;
  }
}

export function toReadiness(readiness: Readiness): MessageInitShape<typeof ReadinessProbeSchema> {
  return {
    probe: toProbe(readiness.probe),
    periodMs: readiness.periodMs,
    timeoutSeconds: Math.ceil(readiness.timeoutMs / 1000),
  };
}

type ProbeInit = NonNullable<MessageInitShape<typeof ReadinessProbeSchema>["probe"]>;

function toProbe(probe: Probe): ProbeInit {
  switch (probe.kind) {
    case "none":
      return { case: undefined };
    case "guest-tools":
      return { case: "guestTools", value: true };
    case "exec":
      return { case: "exec", value: probe.command };
    case "tcp-port":
      return { case: "tcpPort", value: probe.port };
    default:
      return probe satisfies never;
  }
}

export interface ConditionInput {
  readonly type: string;
  readonly holds: boolean | undefined;
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
}

/** @param condition `holds` undefined: not known. */
export function toCondition(condition: ConditionInput): MessageInitShape<typeof ConditionSchema> {
  const { holds } = condition;
  const known = holds === true ? Condition_State.TRUE : Condition_State.FALSE;
  return {
    type: condition.type,
    state: holds === undefined ? Condition_State.UNKNOWN : known,
    reason: condition.reason,
    message: condition.message,
    since: toTimestamp(condition.sinceMs),
  };
}
