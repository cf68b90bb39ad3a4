/**
 * The moves of a VM between its states: one total table. What happens to a VM is a trigger; where it leads depends on the
 * state alone. Who looks at the table decides nothing else: the planner says what should be sent, the appliers what was seen.
 */
import { assert } from "../../shared/assert.ts";
import type { CommandKind, VmRecord, VmState } from "./vm.ts";

export const vmTriggers = [
  /** Placement reserved a host. */
  "placed",
  /** The host refused before it began, could not bring it up, or is lost: the VM holds nothing there any more. */
  "displaced",
  /** The host has begun to make it. */
  "create-begun",
  /** It has been made, and is powered off. */
  "made",
  /** It is powered on and answers its probe. */
  "ready",
  /** A command is on its way. */
  "start-sent",
  "restart-sent",
  "stop-sent",
  "suspend-sent",
  "pause-sent",
  "resume-sent",
  "delete-sent",
  /** The host shows it so, and no command is under way. */
  "seen-running",
  "seen-stopped",
  "seen-suspended",
  "seen-paused",
  /** The host does not show it any more. */
  "gone",
  /** It holds nothing on any host and is not wanted. */
  "dropped",
  /** Given up. */
  "failed",
  /** Its host has been silent for too long. */
  "host-silent",
] as const;
export type VmTrigger = (typeof vmTriggers)[number];

/** A state to move to; "ignored": it may happen and changes nothing; "impossible": our own mistake. */
export type VmMove = VmState | "ignored" | "impossible";

type Row = Readonly<Record<VmTrigger, VmMove>>;

/** What every row begins with: the server's own triggers cannot happen, what hosts show changes nothing. */
const nothingHappens: Row = {
  placed: "impossible",
  displaced: "impossible",
  "create-begun": "impossible",
  made: "impossible",
  ready: "impossible",
  "start-sent": "impossible",
  "restart-sent": "impossible",
  "stop-sent": "impossible",
  "suspend-sent": "impossible",
  "pause-sent": "impossible",
  "resume-sent": "impossible",
  "delete-sent": "impossible",
  "seen-running": "ignored",
  "seen-stopped": "ignored",
  "seen-suspended": "ignored",
  "seen-paused": "ignored",
  gone: "ignored",
  dropped: "impossible",
  failed: "impossible",
  "host-silent": "ignored",
};

/** What a VM that stands on a host and has been seen there has in common, whatever it is doing. */
const standsOnHost: Row = {
  ...nothingHappens,
  "delete-sent": "DELETING",
  gone: "FAILED",
  failed: "FAILED",
  "host-silent": "UNKNOWN",
};

/** A VM at rest follows what the host shows. */
const atRest: Row = {
  ...standsOnHost,
  "seen-running": "RUNNING",
  "seen-stopped": "STOPPED",
  "seen-suspended": "SUSPENDED",
  "seen-paused": "PAUSED",
};

export const vmMoves: Readonly<Record<VmState, Row>> = {
  PENDING: { ...nothingHappens, placed: "PLACED", dropped: "DELETED", failed: "FAILED" },
  PLACED: {
    ...nothingHappens,
    displaced: "PENDING",
    "create-begun": "CREATING",
    made: "STOPPED",
    "delete-sent": "DELETING",
    failed: "FAILED",
  },
  CREATING: {
    ...standsOnHost,
    "create-begun": "ignored",
    displaced: "PENDING",
    made: "STOPPED",
    // It may not be there yet: the end of the command says so.
    gone: "ignored",
  },
  STARTING: {
    ...standsOnHost,
    displaced: "PENDING",
    ready: "RUNNING",
    // A step that failed on the way is told again.
    "start-sent": "ignored",
    "restart-sent": "ignored",
    "stop-sent": "STOPPING",
    "seen-stopped": "STOPPED",
  },
  RUNNING: {
    ...atRest,
    "seen-running": "ignored",
    "restart-sent": "STARTING",
    "stop-sent": "STOPPING",
    "suspend-sent": "SUSPENDING",
    "pause-sent": "PAUSING",
  },
  STOPPING: { ...atRest, "stop-sent": "ignored" },
  STOPPED: { ...atRest, "seen-stopped": "ignored", "start-sent": "STARTING" },
  SUSPENDING: { ...atRest, "suspend-sent": "ignored" },
  SUSPENDED: {
    ...atRest,
    "seen-suspended": "ignored",
    "resume-sent": "RESUMING",
    "stop-sent": "STOPPING",
  },
  PAUSING: { ...atRest, "pause-sent": "ignored" },
  PAUSED: { ...atRest, "seen-paused": "ignored", "resume-sent": "RESUMING", "stop-sent": "STOPPING" },
  RESUMING: {
    ...standsOnHost,
    ready: "RUNNING",
    "resume-sent": "ignored",
    "seen-suspended": "SUSPENDED",
    "seen-paused": "PAUSED",
    "seen-stopped": "STOPPED",
  },
  UNKNOWN: {
    // Its host is back: it goes on where it was, by what the host shows or by the command that was under way.
    ...atRest,
    "create-begun": "CREATING",
    displaced: "PENDING",
    made: "STOPPED",
    ready: "RUNNING",
    "start-sent": "STARTING",
    "restart-sent": "STARTING",
    "stop-sent": "STOPPING",
    "suspend-sent": "SUSPENDING",
    "pause-sent": "PAUSING",
    "resume-sent": "RESUMING",
    "host-silent": "ignored",
  },
  FAILED: { ...nothingHappens, "delete-sent": "DELETING", dropped: "DELETED" },
  // What gave way to another waits for a host again once it is gone from this one.
  DELETING: { ...nothingHappens, "delete-sent": "ignored", gone: "DELETED", displaced: "PENDING" },
  DELETED: nothingHappens,
};

/** Where the trigger leads, or nothing if it changes nothing. */
export function nextVmState(state: VmState, trigger: VmTrigger): VmState | undefined {
  const move = vmMoves[state][trigger];
  assert(move !== "impossible", `a VM in ${state} met ${trigger}`);
  return move === "ignored" ? undefined : move;
}

/** The trigger that sending a command is. The state of a VM whose create has been sent changes when the host begins. */
export function sentTrigger(kind: CommandKind): VmTrigger {
  switch (kind) {
    case "create":
      return "create-begun";
    case "reset":
      return "restart-sent";
    default:
      return `${kind}-sent`;
  }
}

/** The command that brings a VM out of a state on the way; nothing for states of rest and those that know no command. */
export function kindUnderWay(state: VmState): Exclude<CommandKind, "restart" | "reset" | "delete"> | undefined {
  switch (state) {
    case "CREATING":
      return "create";
    case "STARTING":
      return "start";
    case "RESUMING":
      return "resume";
    case "STOPPING":
      return "stop";
    case "SUSPENDING":
      return "suspend";
    case "PAUSING":
      return "pause";
    default:
      return undefined;
  }
}

/** What the host's words for a VM's state mean; passing and new ones mean nothing by themselves. */
export function seenTrigger(parallelsState: string): VmTrigger | undefined {
  switch (parallelsState) {
    case "running":
      return "seen-running";
    case "stopped":
      return "seen-stopped";
    case "suspended":
      return "seen-suspended";
    case "paused":
      return "seen-paused";
    default:
      return undefined;
  }
}

/** Whether it is on its way up for the first time since it was placed. */
export function isStillBeingMade(vm: VmRecord): boolean {
  if (vm.state !== "PLACED" && vm.state !== "CREATING" && vm.state !== "STARTING") return false;
  const placed = vm.timeline.findLastIndex(({ state }) => state === "PLACED");
  return placed >= 0 && vm.timeline.slice(placed).every(({ state }) => state !== "RUNNING");
}
