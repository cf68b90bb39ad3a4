/**
 * The journal as bytes: one line for each write, `<check value> {"n": number, "records": [...]}`. A write is one line, so that
 * a crash in the middle of it can only leave a bad last line: that one is cut off, since nobody was told that it is there.
 * A bad line before the last, or a number that is missing, is damage to what was durable.
 */
import { crc32 } from "node:zlib";
import { fromJson, type JournalRecord, toJson } from "./journal-record.ts";

const format = "meridian-agent-journal";
const version = 1;

export type DecodedJournal =
  | {
      readonly kind: "sound";
      readonly records: readonly JournalRecord[];
      /** How many bytes of a torn last line were left out. */
      readonly tornBytes: number;
    }
  | { readonly kind: "damaged"; readonly reason: string }
  | { readonly kind: "newer"; readonly version: number };

/** A whole journal: its first line says what it is. */
export function encodeJournal(records: readonly JournalRecord[]): Buffer {
  const header = toLine({ n: 0, format, version });
  return Buffer.concat([header, encodeWrite(1, records)]);
}

/** How many lines `encodeJournal` makes: the number of the next write. */
export const journalLineCount = 2;

/** @param number counts the lines of the journal from 0. */
export function encodeWrite(number: number, records: readonly JournalRecord[]): Buffer {
  return toLine({ n: number, records: records.map(toJson) });
}

export function decodeJournal(bytes: Uint8Array): DecodedJournal {
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  // What stands behind the last line break was never finished.
  const unfinished = lines.pop() ?? "";
  const records: JournalRecord[] = [];
  for (const [number, line] of lines.entries()) {
    const content = parseLine(line);
    const isLast = number === lines.length - 1 && unfinished === "";
    if (content === undefined && isLast && number > 0) {
      return { kind: "sound", records, tornBytes: Buffer.byteLength(line) + 1 };
    }
    if (content === undefined) return { kind: "damaged", reason: `line ${number} does not match its check value` };
    if (number === 0) {
      if (content["format"] !== format) return { kind: "damaged", reason: "it does not begin as a journal" };
      if (content["version"] !== version) return { kind: "newer", version: Number(content["version"]) };
    } else if (content["n"] !== number) {
      return { kind: "damaged", reason: `line ${number} is missing` };
    } else {
      const problem = collect(content["records"], records);
      if (problem !== undefined) return { kind: "damaged", reason: `line ${number}: ${problem}` };
    }
  }
  if (lines.length === 0) return { kind: "damaged", reason: "it has no first line" };
  return { kind: "sound", records, tornBytes: Buffer.byteLength(unfinished) };
}

/** Adds the records of one line; what is wrong with them, if anything. */
function collect(values: unknown, records: JournalRecord[]): string | undefined {
  if (!Array.isArray(values)) return "it holds no records";
  try {
    for (const value of values) {
      const record = fromJson(value);
      if (record !== undefined) records.push(record);
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function toLine(content: object): Buffer {
  const text = JSON.stringify(content);
  return Buffer.from(`${checkValue(text)} ${text}\n`);
}

function parseLine(line: string): Readonly<Record<string, unknown>> | undefined {
  const text = line.slice(9);
  if (line.slice(0, 9) !== `${checkValue(text)} `) return undefined;
  try {
    // The check value is right, so this is what `toLine` was given.
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function checkValue(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
