/**
 * What the journal is made of: small facts, each of which says what is so from now on. Commands and updates keep the encoding
 * of the link, which bears fields that an older or newer agent does not know.
 */
import { Command, CommandUpdate } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export type JournalRecord =
  /** A command was taken on and has not ended; `step` is the last that was begun of those that must not be done twice. */
  | { readonly kind: "command"; readonly command: Command; readonly step: string }
  /** How a command is doing. */
  | { readonly kind: "update"; readonly update: CommandUpdate }
  /** A step that must not be done twice is about to be done. */
  | { readonly kind: "step"; readonly commandId: string; readonly step: string }
  /** The server has the command's end. */
  | { readonly kind: "settled"; readonly commandId: string }
  /** The command was not taken on after all. */
  | { readonly kind: "forgotten"; readonly commandId: string }
  /** The highest generation that was seen of a VM. */
  | { readonly kind: "generation"; readonly vmUid: string; readonly generation: number }
  /** The highest epoch that a server has opened a session with. */
  | { readonly kind: "epoch"; readonly epoch: number }
  | RunRecord
  | LeaseRecord
  /** The lease of the VM of that name is gone. */
  | { readonly kind: "lease-dropped"; readonly hostVmName: string }
  | MomentRecord;

/** Which start of the agent on this journal this is. */
export interface RunRecord {
  readonly kind: "run";
  /** Within what is counted; changes when count was lost. */
  readonly series: string;
  /** From 1. */
  readonly number: number;
}

/** Until when a VM may live. */
export interface LeaseRecord {
  readonly kind: "lease";
  readonly hostVmName: string;
  readonly vmUid: string;
  /** Its id in Parallels Desktop, once it was seen; else empty. */
  readonly hostVmId: string;
  readonly generation: number;
  /** In ms since the Mac's start. */
  readonly endsAtMs: number;
  /** Of the start of the Mac that `endsAtMs` counts from. */
  readonly bootId: string;
  /** "ended": its VM is being removed, or is gone. */
  readonly phase: "counting" | "ended";
}

/** A moment at which the Mac was up, by both of its clocks. */
export interface MomentRecord {
  readonly kind: "moment";
  readonly bootId: string;
  /** In ms since the Mac's start. */
  readonly atMs: number;
  /** By the clock that people may set. */
  readonly wallMs: number;
}

/** As JSON can carry it. */
export function toJson(record: JournalRecord): object {
  switch (record.kind) {
    case "command":
      return { ...record, command: toBase64(Command.encode(record.command).finish()) };
    case "update":
      return { ...record, update: toBase64(CommandUpdate.encode(record.update).finish()) };
    default:
      return record;
  }
}

/**
 * The record, or nothing for a kind that only a newer agent knows. Throws when it is no record at all. Its check value was
 * right, so an agent wrote it, and the kind is enough to tell its fields.
 */
export function fromJson(value: unknown): JournalRecord | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value)) throw new Error("a record without a kind");
  switch (value.kind) {
    case "command": {
      const { command, step } = value as unknown as { readonly command: string; readonly step: string };
      return { kind: "command", command: Command.decode(Buffer.from(command, "base64")), step };
    }
    case "update": {
      const { update } = value as unknown as { readonly update: string };
      return { kind: "update", update: CommandUpdate.decode(Buffer.from(update, "base64")) };
    }
    case "step":
    case "settled":
    case "forgotten":
    case "generation":
    case "epoch":
    case "run":
    case "lease":
    case "lease-dropped":
    case "moment":
      return value as unknown as JournalRecord;
    default:
      return undefined;
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
