/** The moves of a command: one total table. A command only moves forward; what comes late or twice changes nothing. */
import type { CommandReport } from "./events/host-reports.ts";
import type { CommandState } from "./vm.ts";

export const commandTriggers = [
  "ACCEPTED",
  "RUNNING",
  "SUCCEEDED",
  "FAILED",
  "REFUSED",
] as const satisfies readonly CommandReport["state"][];

/** A state to move to; "ignored": it may happen and changes nothing. */
export type CommandMove = CommandState | "ignored";

const ended = {
  ACCEPTED: "ignored",
  RUNNING: "ignored",
  SUCCEEDED: "ignored",
  FAILED: "ignored",
  REFUSED: "ignored",
} as const;

export const commandMoves: Readonly<Record<CommandState, Readonly<Record<CommandReport["state"], CommandMove>>>> = {
  SENT: { ACCEPTED: "ACCEPTED", RUNNING: "RUNNING", SUCCEEDED: "SUCCEEDED", FAILED: "FAILED", REFUSED: "REFUSED" },
  // Who has taken a command on cannot say later that it never began: something was begun, and is not done.
  ACCEPTED: { ACCEPTED: "ignored", RUNNING: "RUNNING", SUCCEEDED: "SUCCEEDED", FAILED: "FAILED", REFUSED: "FAILED" },
  RUNNING: { ACCEPTED: "ignored", RUNNING: "ignored", SUCCEEDED: "SUCCEEDED", FAILED: "FAILED", REFUSED: "FAILED" },
  SUCCEEDED: ended,
  FAILED: ended,
  REFUSED: ended,
};

/** Where the report leads, or nothing if it changes nothing. */
export function nextCommandState(state: CommandState, report: CommandReport["state"]): CommandState | undefined {
  const move = commandMoves[state][report];
  return move === "ignored" ? undefined : move;
}
