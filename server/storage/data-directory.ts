/**
 * What a data directory is, before any database is opened in it:
 *
 *     meridian.json        the marker: layout version, pool, state; its presence makes a directory ours
 *     database/            LevelDB's files
 *     database-before/     links to them as they were before a start; gone once the start has verified everything
 *     acknowledged         the highest acknowledged revision
 *     owner.json           who has it open, for the message that another process gets
 *
 * LevelDB, asked to make a database where one is missing, would also make an empty one where a file was lost. So it is asked
 * to only while the marker says "creating", and nothing has been acknowledged before the marker says "ready". Each step
 * of a first start is durable before the next, so that a crash between any two leads to the same end at the next start.
 */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asUid, type Uid } from "../../shared/ids.ts";
import { createFileDurably, replaceFileDurably, syncDirectory, unfinishedMark } from "./durable-file.ts";
import { layoutVersion } from "./key-layout.ts";
import { hasErrorCode, toStoreError } from "./storage-errors.ts";
import { StoreError } from "./store.ts";

export interface DataDirectoryPaths {
  readonly directory: string;
  readonly marker: string;
  readonly database: string;
  readonly databaseBefore: string;
  readonly acknowledged: string;
  readonly owner: string;
}

export interface Marker {
  /** The `layoutVersion` of the Meridian that made it. */
  readonly layout: number;
  /** "creating" and "restoring" until everything that belongs to a data directory is durable. */
  readonly state: "creating" | "restoring" | "ready";
  readonly poolUid: Uid;
  /** By the clock of the machine, for people: an RFC 3339 time. */
  readonly createTime: string;
}

export function dataDirectoryPaths(directory: string): DataDirectoryPaths {
  return {
    directory,
    marker: join(directory, "meridian.json"),
    database: join(directory, "database"),
    databaseBefore: join(directory, "database-before"),
    acknowledged: join(directory, "acknowledged"),
    owner: join(directory, "owner.json"),
  };
}

/**
 * The marker of the directory, or nothing if the directory is absent or empty. Rejects with `StoreError`: foreign when
 * other things are in it, newer, damaged. Changes nothing.
 */
export async function readMarker(paths: DataDirectoryPaths): Promise<Marker | undefined> {
  const names = await listNames(paths.directory);
  if (names.includes("meridian.json")) return parseMarker(paths, await readText(paths.marker));
  const others = names.filter((name) => !isHarmless(name));
  if (others.length === 0) return undefined;
  if (others.includes("database") && (others.includes("acknowledged") || others.includes("owner.json"))) {
    throw damaged(paths, "its marker, meridian.json, is missing");
  }
  const message =
    `${paths.directory} is no data directory of Meridian: it holds ${JSON.stringify(others[0])}` +
    `${others.length > 1 ? ` and ${others.length - 1} more` : ""}, and no meridian.json. ` +
    "Name an empty or new directory, or the right one. Nothing was changed.";
  throw new StoreError("foreign", message);
}

/**
 * Makes the directory, if it is absent, and its marker. False when there is a marker by now, because another process was
 * faster; its marker stays.
 */
export async function createMarker(paths: DataDirectoryPaths, marker: Marker): Promise<boolean> {
  try {
    await makeDirectoryDurably(paths.directory);
    await createFileDurably(paths.marker, encodeMarker(marker));
    return true;
  } catch (error) {
    if (hasErrorCode(error, "EEXIST")) return false;
    throw toStoreError(error, `${paths.directory} cannot be made a data directory`);
  }
}

/** Says that everything that belongs to the directory is durable. */
export async function markReady(paths: DataDirectoryPaths, marker: Marker): Promise<Marker> {
  const ready: Marker = { ...marker, state: "ready" };
  try {
    await syncDirectory(paths.database);
    await syncDirectory(paths.directory);
    await replaceFileDurably(paths.marker, encodeMarker(ready));
  } catch (error) {
    throw toStoreError(error, `${paths.marker} cannot be written`);
  }
  return ready;
}

/** "damaged", with what the operator can do about it. */
export function damaged(paths: DataDirectoryPaths, what: string, cause?: unknown): StoreError {
  const message =
    `${paths.directory} is damaged: ${what}. The server does not start on it, and creates nothing in its place. ` +
    "Restore a backup into a new, empty directory; keep this one for a look. " +
    `If ${paths.databaseBefore} exists, it holds the database's files as they were before this start.`;
  return new StoreError("damaged", message, cause);
}

async function listNames(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return [];
    if (hasErrorCode(error, "ENOTDIR")) {
      throw new StoreError("foreign", `${directory} is a file; name a directory. Nothing was changed.`, error);
    }
    throw toStoreError(error, `${directory} cannot be read`);
  }
}

/** What file systems and desktops put into empty directories, and what a crash of our own first moment leaves. */
function isHarmless(name: string): boolean {
  return name === "lost+found" || name === ".DS_Store" || name.startsWith(`meridian.json${unfinishedMark}`);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw toStoreError(error, `${path} cannot be read`);
  }
}

const markerStates: readonly Marker["state"][] = ["creating", "restoring", "ready"];

function encodeMarker(marker: Marker): string {
  return `${JSON.stringify(marker, undefined, 2)}\n`;
}

function parseMarker(paths: DataDirectoryPaths, text: string): Marker {
  const { layout, state, poolUid, createTime } = parseObject(text);
  if (typeof layout === "number" && layout > layoutVersion) {
    const message =
      `${paths.directory} was written by a newer Meridian (layout ${layout}; this one knows ${layoutVersion} at most). ` +
      "Start that version again, or restore a backup of this version into an empty directory. Nothing was changed.";
    throw new StoreError("newer", message);
  }
  const known = markerStates.find((name) => name === state);
  const isWhole =
    layout === layoutVersion &&
    known !== undefined &&
    typeof poolUid === "string" &&
    /^[0-9a-f]{32}$/.test(poolUid) &&
    typeof createTime === "string";
  if (!isWhole) throw damaged(paths, "its marker, meridian.json, cannot be understood");
  return { layout, state: known, poolUid: asUid(poolUid), createTime };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? { ...parsed } : {};
  } catch {
    return {};
  }
}

/** Makes the directory and its missing parents, and syncs every directory that got a new name. */
async function makeDirectoryDurably(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = directory; ; made = dirname(made)) {
    await syncDirectory(dirname(made));
    if (made.length <= first.length) return;
  }
}
