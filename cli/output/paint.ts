/** Colours, where the reader has a terminal that shows them and did not say no. */
import { styleText } from "node:util";
import { hasColour, type Output, type Terminal } from "../terminal.ts";

export type Tone = "good" | "busy" | "bad" | "dim" | "strong" | "plain";

export type Paint = (text: string, tone: Tone) => string;

const styles = { good: "green", busy: "yellow", bad: "red", dim: "dim", strong: "bold" } as const;

export function paintFor(terminal: Terminal, output: Output): Paint {
  if (!hasColour(terminal, output)) return (text) => text;
  return (text, tone) =>
    tone === "plain" || text === "" ? text : styleText(styles[tone], text, { validateStream: false });
}

const tones: Readonly<Record<string, Tone>> = {
  RUNNING: "good",
  READY: "good",
  ACTIVE: "good",
  PENDING: "busy",
  PLACED: "busy",
  CREATING: "busy",
  STARTING: "busy",
  STOPPING: "busy",
  SUSPENDING: "busy",
  PAUSING: "busy",
  RESUMING: "busy",
  DELETING: "busy",
  DISCONNECTED: "busy",
  TAINTED: "busy",
  REVOKED: "bad",
  UNKNOWN: "bad",
  FAILED: "bad",
  LOST: "bad",
  DELETED: "dim",
  ENROLLED: "dim",
};

/** The tone of a state of a VM, a host or a template. */
export function stateTone(state: string): Tone {
  return tones[state] ?? "plain";
}
