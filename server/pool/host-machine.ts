/** The moves of the contact with a host: one total table. */
import type { HostState } from "./host.ts";

export const hostTriggers = [
  /** A session opened. */
  "connected",
  /** Nothing was heard for the bound of contact. */
  "silent",
  /** Nothing was heard for the bound of loss. */
  "lost",
] as const;
export type HostTrigger = (typeof hostTriggers)[number];

/** A state to move to; "ignored": it may happen and changes nothing. */
export type HostMove = HostState | "ignored";

export const hostMoves: Readonly<Record<HostState, Readonly<Record<HostTrigger, HostMove>>>> = {
  ENROLLED: { connected: "READY", silent: "ignored", lost: "ignored" },
  READY: { connected: "ignored", silent: "DISCONNECTED", lost: "LOST" },
  DISCONNECTED: { connected: "READY", silent: "ignored", lost: "LOST" },
  LOST: { connected: "READY", silent: "ignored", lost: "ignored" },
};

/** Where the trigger leads, or nothing if it changes nothing. */
export function nextHostState(state: HostState, trigger: HostTrigger): HostState | undefined {
  const move = hostMoves[state][trigger];
  return move === "ignored" ? undefined : move;
}
