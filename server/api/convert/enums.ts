/** The words of the pool and the numbers of the protocol. Each table is total: a new word does not compile without its number. */
import { HostDrain_Then, HostStatus_State } from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import { Architecture, GuestOs, LabelExpression_Operator } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import {
  VmFailure_Suspect,
  VmPlacement_Strategy,
  VmSpec_OnHostLost,
  VmSpec_Wanted,
  VmStatus_State,
} from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import type * as host from "../../pool/host.ts";
import type * as labels from "../../pool/labels.ts";
import type * as vm from "../../pool/vm.ts";
import type { FieldChecks } from "../field-checks.ts";

type Table<Word extends string, Value extends number> = Readonly<Record<Word, Value>>;

export const architectures: Table<vm.Architecture, Architecture> = {
  arm64: Architecture.ARM64,
  x86_64: Architecture.X86_64,
};

export const guestSystems: Table<vm.GuestOs, GuestOs> = {
  macos: GuestOs.MACOS,
  linux: GuestOs.LINUX,
  windows: GuestOs.WINDOWS,
};

export const vmStateValues: Table<vm.VmState, VmStatus_State> = {
  PENDING: VmStatus_State.PENDING,
  PLACED: VmStatus_State.PLACED,
  CREATING: VmStatus_State.CREATING,
  STARTING: VmStatus_State.STARTING,
  RUNNING: VmStatus_State.RUNNING,
  STOPPING: VmStatus_State.STOPPING,
  STOPPED: VmStatus_State.STOPPED,
  SUSPENDING: VmStatus_State.SUSPENDING,
  SUSPENDED: VmStatus_State.SUSPENDED,
  PAUSING: VmStatus_State.PAUSING,
  PAUSED: VmStatus_State.PAUSED,
  RESUMING: VmStatus_State.RESUMING,
  UNKNOWN: VmStatus_State.UNKNOWN,
  FAILED: VmStatus_State.FAILED,
  DELETING: VmStatus_State.DELETING,
  DELETED: VmStatus_State.DELETED,
};

export const wantedStates: Table<vm.WantedState, VmSpec_Wanted> = {
  running: VmSpec_Wanted.RUNNING,
  stopped: VmSpec_Wanted.STOPPED,
  suspended: VmSpec_Wanted.SUSPENDED,
  paused: VmSpec_Wanted.PAUSED,
  deleted: VmSpec_Wanted.DELETED,
};

export const suspects: Table<vm.Suspect, VmFailure_Suspect> = {
  none: VmFailure_Suspect.UNSPECIFIED,
  host: VmFailure_Suspect.HOST,
  template: VmFailure_Suspect.TEMPLATE,
  network: VmFailure_Suspect.NETWORK,
  request: VmFailure_Suspect.REQUEST,
  server: VmFailure_Suspect.SERVER,
};

export const hostLossPolicies: Table<"keep" | NonNullable<vm.VmSpec["onHostLost"]>, VmSpec_OnHostLost> = {
  keep: VmSpec_OnHostLost.KEEP,
  fail: VmSpec_OnHostLost.FAIL,
  replace: VmSpec_OnHostLost.REPLACE,
};

export const strategies: Table<NonNullable<vm.VmPlacement["strategy"]>, VmPlacement_Strategy> = {
  pack: VmPlacement_Strategy.PACK,
  spread: VmPlacement_Strategy.SPREAD,
};

export const hostStateValues: Table<host.HostState, HostStatus_State> = {
  ENROLLED: HostStatus_State.ENROLLED,
  READY: HostStatus_State.READY,
  DISCONNECTED: HostStatus_State.DISCONNECTED,
  LOST: HostStatus_State.LOST,
};

export const drainEnds: Table<host.HostDrain["then"], HostDrain_Then> = {
  "stay-cordoned": HostDrain_Then.STAY_CORDONED,
  uncordon: HostDrain_Then.UNCORDON,
};

export const labelOperators: Table<labels.LabelOperator, LabelExpression_Operator> = {
  in: LabelExpression_Operator.IN,
  "not-in": LabelExpression_Operator.NOT_IN,
  exists: LabelExpression_Operator.EXISTS,
  "does-not-exist": LabelExpression_Operator.DOES_NOT_EXIST,
  gt: LabelExpression_Operator.GT,
  lt: LabelExpression_Operator.LT,
};

/** The word for a value of the protocol; nothing for 0 and for values that this version does not know. */
export function wordOf<Word extends string, Value extends number>(
  table: Table<Word, Value>,
  value: Value,
): Word | undefined {
  for (const word in table) if (table[word] === value) return word;
  return undefined;
}

export interface EnumField<Value extends number> {
  readonly path: string;
  readonly value: Value;
}

/** The word for a field that must be set. */
export function requiredWord<Word extends string, Value extends number>(
  checks: FieldChecks,
  field: EnumField<Value>,
  table: Table<Word, Value>,
): Word | undefined {
  const word = wordOf(table, field.value);
  if (word === undefined)
    checks.refuse(field.path, isUnspecified(field.value) ? "must be set" : unknownValue(field.value));
  return word;
}

/** The word for a field that may be left out. */
export function optionalWord<Word extends string, Value extends number>(
  checks: FieldChecks,
  field: EnumField<Value>,
  table: Table<Word, Value>,
): Word | undefined {
  const word = wordOf(table, field.value);
  if (word === undefined && !isUnspecified(field.value)) checks.refuse(field.path, unknownValue(field.value));
  return word;
}

/** 0 is UNSPECIFIED in every enumeration of the protocol. */
function isUnspecified(value: number): boolean {
  return value === 0;
}

function unknownValue(value: number): string {
  return `has the value ${value}, which this server does not know`;
}
