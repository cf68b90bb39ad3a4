/**
 * A backup: the records of one revision as a stream of bytes that checks itself. Lines of JSON, each ended by a newline:
 *
 *     {"meridian_backup":1,"pool_uid":"…","revision":41,"create_time":"…"}
 *     ["vm/build-7","{…}"]                                                     one line a record, in the order of the keys
 *     {"records":1,"sha256":"…"}                                               over all bytes before this line
 *
 * A backup that is cut or altered anywhere is noticed when it is read; without its last line it is not a backup. It holds
 * records as they are stored, so any Meridian that reads the records reads the backup.
 */
import { createHash } from "node:crypto";
import { asUid, type Uid } from "../../shared/ids.ts";
import { readLines } from "./byte-lines.ts";
import { type StoreEntry, StoreError, type StoreSnapshot } from "./store.ts";

/** Grows only when older versions could not read the stream any more. */
const backupFormat = 1;

export interface BackupHeader {
  /** The pool whose records these are. */
  readonly poolUid: Uid;
  readonly revision: number;
  /** When the backup was begun: an RFC 3339 time. */
  readonly createTime: string;
}

export interface Backup {
  readonly header: BackupHeader;
  /**
   * All records, some at a time; to be read once. Throws `StoreError` "damaged" when the backup is cut or altered: only
   * after the last step is it known to be whole.
   */
  readonly entries: AsyncIterable<readonly StoreEntry[]>;
}

/** Chunks of about this size: few enough to be cheap, small enough for any transport. */
const chunkBytes = 64 * 1024;

/** The backup of a snapshot, which the caller closes afterwards. Throws the snapshot's `StoreError`. */
export async function* encodeBackup(
  snapshot: StoreSnapshot,
  about: Omit<BackupHeader, "revision">,
): AsyncGenerator<Uint8Array, void> {
  const hash = createHash("sha256");
  const header = {
    meridian_backup: backupFormat,
    pool_uid: about.poolUid,
    revision: snapshot.revision,
    create_time: about.createTime,
  };
  let pending = `${JSON.stringify(header)}\n`;
  let records = 0;
  for await (const { key, value } of snapshot.entries()) {
    pending += `${JSON.stringify([key, value])}\n`;
    records += 1;
    if (pending.length < chunkBytes) continue;
    const chunk = Buffer.from(pending);
    hash.update(chunk);
    yield chunk;
    pending = "";
  }
  hash.update(pending);
  yield Buffer.from(`${pending}${JSON.stringify({ records, sha256: hash.digest("hex") })}\n`);
}

/** Reads a backup's header. Rejects with `StoreError`: foreign when it is no backup, newer, damaged when it is cut. */
export async function decodeBackup(bytes: AsyncIterable<Uint8Array>): Promise<Backup> {
  const lines = readLines(bytes, lineBytesMax);
  try {
    const first = await nextLine(lines);
    return { header: parseHeader(first), entries: readEntries(lines, first) };
  } catch (error) {
    await lines.return("cut");
    throw error;
  }
}

/** A record of the largest message that the API takes, twice over for JSON within JSON, and room to spare. */
const lineBytesMax = 32 * 1024 * 1024;

/** Records that one step hands on. */
const stepEntries = 1000;

type Lines = AsyncGenerator<Buffer, "whole" | "cut" | "too long">;

async function nextLine(lines: Lines): Promise<Buffer> {
  const line = await lines.next();
  if (line.done !== true) return line.value;
  throw damagedBackup(line.value === "too long" ? "it has a line that is too long" : "it ends too early");
}

async function* readEntries(lines: Lines, first: Buffer): AsyncGenerator<readonly StoreEntry[], void> {
  const hash = createHash("sha256").update(first).update("\n");
  let records = 0;
  let step: StoreEntry[] = [];
  try {
    for (;;) {
      const line = await nextLine(lines);
      const parsed = parseJson(line);
      if (!Array.isArray(parsed)) {
        verifyTrailer(parsed, { records, sha256: hash.digest("hex") });
        await verifyEnd(lines);
        yield step;
        return;
      }
      hash.update(line).update("\n");
      step.push(parseEntry(parsed));
      records += 1;
      if (step.length < stepEntries) continue;
      yield step;
      step = [];
    }
  } finally {
    await lines.return("cut");
  }
}

function parseHeader(line: Buffer): BackupHeader {
  const parsed = fieldsOf(parseJson(line));
  const format = parsed["meridian_backup"];
  if (typeof format !== "number")
    throw new StoreError("foreign", "this is no backup of Meridian. Nothing was changed.");
  if (format > backupFormat) {
    const message = `the backup was made by a newer Meridian (format ${format}; this one knows ${backupFormat} at most)`;
    throw new StoreError("newer", `${message}. Restore it with that version.`);
  }
  const { pool_uid: poolUid, revision, create_time: createTime } = parsed;
  const isWhole =
    typeof poolUid === "string" &&
    /^[0-9a-f]{32}$/.test(poolUid) &&
    typeof revision === "number" &&
    Number.isSafeInteger(revision) &&
    revision >= 0 &&
    typeof createTime === "string";
  if (!isWhole) throw damagedBackup("its first line is altered");
  return { poolUid: asUid(poolUid), revision, createTime };
}

function parseEntry(parsed: readonly unknown[]): StoreEntry {
  const [key, value] = parsed;
  if (parsed.length !== 2 || typeof key !== "string" || typeof value !== "string") {
    throw damagedBackup("a record in it is altered");
  }
  return { key, value };
}

function verifyTrailer(parsed: unknown, expected: { readonly records: number; readonly sha256: string }): void {
  const trailer = fieldsOf(parsed);
  if (trailer["records"] !== expected.records) throw damagedBackup("records are missing in it");
  if (trailer["sha256"] !== expected.sha256) throw damagedBackup("its checksum does not match");
}

async function verifyEnd(lines: Lines): Promise<void> {
  const end = await lines.next();
  if (end.done !== true || end.value !== "whole") throw damagedBackup("something follows its last line");
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
}

function fieldsOf(parsed: unknown): Readonly<Record<string, unknown>> {
  return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
}

function damagedBackup(what: string): StoreError {
  return new StoreError("damaged", `the backup is damaged: ${what}. Use another copy of it, or another backup.`);
}
