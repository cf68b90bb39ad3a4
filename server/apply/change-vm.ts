/** How a VM's record is replaced: fields that change, the state that it moves to, its deadline and its timeline. */
import { assertNever } from "../../shared/assert.ts";
import type { HostId } from "../../shared/ids.ts";
import {
  changeMaxMs,
  createSilenceMaxMs,
  deletedRecordsMax,
  placedMaxMs,
  startMarginMs,
  timelineMax,
} from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { TimelineEntry, VmFailure, VmRecord, VmState, WantedState } from "../pool/vm.ts";
import { isStillBeingMade, nextVmState, type VmTrigger } from "../pool/vm-machine.ts";
import { noteMade } from "./blame.ts";

export type VmFields = { readonly [Field in keyof VmRecord]?: VmRecord[Field] | undefined } & {
  readonly [Field in RequiredField]?: VmRecord[Field];
};
type RequiredField = {
  [Field in keyof VmRecord]-?: undefined extends VmRecord[Field] ? never : Field;
}[keyof VmRecord];

export interface VmMoveOptions {
  readonly timeMs: number;
  /** Why, as one CamelCase word. */
  readonly reason: string;
  /** Why, as a sentence; absent: nothing to say. */
  readonly message?: string | undefined;
  /** What else changes. */
  readonly fields?: VmFields;
}

/** Replaces fields without a move. */
export function changeVm(pool: Pool, vm: VmRecord, timeMs: number, fields: VmFields): VmRecord {
  const changed: VmRecord = { ...vm, ...fields, updateTimeMs: timeMs, revision: pool.nextRevision };
  // What asks for nothing more has been acted on.
  const after = isAsWanted(changed) ? { ...changed, observedGeneration: changed.generation } : changed;
  pool.putVm(after);
  return after;
}

function isAsWanted(vm: VmRecord): boolean {
  const isSettled = vm.command === undefined && vm.pendingAction === undefined;
  return isSettled && vm.state === settledStates[vm.spec.wanted];
}

const settledStates: Readonly<Record<WantedState, VmState>> = {
  running: "RUNNING",
  stopped: "STOPPED",
  suspended: "SUSPENDED",
  paused: "PAUSED",
  deleted: "DELETED",
};

/** Moves the VM as the table says; a trigger that the table ignores changes only the fields. */
export function moveVm(pool: Pool, vm: VmRecord, trigger: VmTrigger, options: VmMoveOptions): VmRecord {
  const { timeMs, reason, message = "", fields = {} } = options;
  const state = nextVmState(vm.state, trigger);
  if (state === undefined) return Object.keys(fields).length === 0 ? vm : changeVm(pool, vm, timeMs, fields);
  const moved = changeVm(pool, vm, timeMs, {
    ...fields,
    state,
    stateSinceMs: timeMs,
    message,
    deadlineMs: stateDeadlineMs(vm, state, timeMs) ?? retentionEndMs(pool, state, timeMs),
    timeline: extendTimeline(vm.timeline, { state, timeMs, reason }),
  });
  if (state === "RUNNING" && isStillBeingMade(vm)) noteMade(pool, vm, timeMs);
  if (state === "DELETED") dropOldestDeleted(pool);
  return moved;
}

/**
 * When what has ended is forgotten, as the settings are now. What counts is `stateEndMs`, which follows them; an older version
 * of Meridian, after an upgrade that was taken back, knows only what the record says.
 */
function retentionEndMs({ settings: { vms } }: Pool, state: VmState, timeMs: number): number | undefined {
  if (state === "FAILED") return timeMs + vms.failedRetentionMs;
  return state === "DELETED" ? timeMs + vms.deletedRetentionMs : undefined;
}

/** Gives the VM up. What it may have left on its host is cleaned up when it is deleted, unless `releasesHost`. */
export function failVm(
  pool: Pool,
  vm: VmRecord,
  timeMs: number,
  failure: Omit<VmFailure, "timeMs" | "host"> & { readonly host?: HostId | undefined; readonly releasesHost: boolean },
): VmRecord {
  const { reason, message, suspect, releasesHost } = failure;
  const host = failure.host ?? vm.host;
  return moveVm(pool, vm, "failed", {
    timeMs,
    reason,
    message,
    fields: {
      failure: { reason, message, suspect, timeMs, ...(host === undefined ? {} : { host }) },
      command: undefined,
      progress: undefined,
      pendingAction: undefined,
      retryAtMs: undefined,
      ...(releasesHost ? releasedHost : {}),
    },
  });
}

/** What a VM that holds nothing on any host any more has lost. */
export const releasedHost = {
  host: undefined,
  sight: undefined,
  mayHaveRemains: undefined,
  leaseEndMs: undefined,
  notice: undefined,
} as const satisfies VmFields;

/** When a VM that enters the state now leaves it by itself, if it does. */
export function stateDeadlineMs(vm: VmRecord, state: VmState, timeMs: number): number | undefined {
  switch (state) {
    case "PENDING":
      return vm.spec.pendingTimeoutMs === 0 ? undefined : timeMs + vm.spec.pendingTimeoutMs;
    case "PLACED":
      return timeMs + placedMaxMs;
    case "CREATING":
      return timeMs + createSilenceMaxMs;
    case "STARTING":
    case "RESUMING":
      return timeMs + vm.image.readiness.timeoutMs + startMarginMs;
    case "STOPPING":
    case "SUSPENDING":
    case "PAUSING":
      return timeMs + changeMaxMs;
    case "RUNNING":
    case "STOPPED":
    case "SUSPENDED":
    case "PAUSED":
    case "UNKNOWN":
    case "DELETING":
    // How long what has ended is kept is a setting: see `stateEndMs`.
    case "FAILED":
    case "DELETED":
      return undefined;
    default:
      return assertNever(state, "VM state");
  }
}

function extendTimeline(timeline: readonly TimelineEntry[], entry: TimelineEntry): readonly TimelineEntry[] {
  const [first, ...others] = timeline;
  if (first === undefined || timeline.length < timelineMax) return [...timeline, entry];
  return [first, ...others.slice(1), entry];
}

function dropOldestDeleted(pool: Pool): void {
  if (pool.deleted.size <= deletedRecordsMax) return;
  const oldest = pool.deleted.values().next();
  if (oldest.done !== true) pool.removeVm(oldest.value);
}
