/**
 * LevelDB, as the store uses it: opened by one process, its errors as `StoreError`s, batches synced, and everything read in
 * the order of the keys. What the records mean, and whether they are complete, is the business of others.
 */
import { writeFileSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import type { Clock } from "../../shared/clock.ts";
import { type DataDirectoryPaths, damaged } from "./data-directory.ts";
import { dropImage, keepImage } from "./database-image.ts";
import { hasErrorCode, toStoreError } from "./storage-errors.ts";
import { type StoreEntry, StoreError } from "./store.ts";

export type Database = Level;

/** A consistent view of the database; `ReturnType` because the package `level` does not export the name. */
export type DatabaseView = ReturnType<Database["snapshot"]>;

/** Makes the database, or opens one whose making was interrupted. */
export async function createDatabase(paths: DataDirectoryPaths, clock: Clock): Promise<Database> {
  return await open(paths, { createIfMissing: true, clock });
}

/**
 * Opens the database that must be there, keeping an image of its files before LevelDB touches them. Rejects with
 * `StoreError`: locked, damaged, full, failed.
 */
export async function openDatabase(paths: DataDirectoryPaths, clock: Clock): Promise<Database> {
  await checkFiles(paths);
  let isOurImage = false;
  try {
    isOurImage = keepImage(paths);
    return await open(paths, { createIfMissing: false, clock });
  } catch (error) {
    // The files belong to a process that has verified them; an image of a running database would be of no use.
    if (isOurImage && error instanceof StoreError && error.kind === "locked") await dropImage(paths);
    throw toStoreError(error, `${paths.database} cannot be opened`);
  }
}

/**
 * Entries and bytes that one step of an iterator brings over from LevelDB: of a snapshot little enough to let other work in
 * between. A start has nothing else to do but to load the program, and takes a pool of usual size in two or three steps.
 */
const snapshotStep = { entries: 1000, bytes: 2 * 1024 * 1024 };
const startStep = { entries: 20_000, bytes: 16 * 1024 * 1024 };

/** All entries in the order of their keys, as of `view` or of now, some at a time. */
export async function* readEntries(database: Database, view?: DatabaseView): AsyncIterable<readonly StoreEntry[]> {
  const { entries, bytes } = view === undefined ? startStep : snapshotStep;
  const iterator = database.iterator({
    highWaterMarkBytes: bytes,
    ...(view === undefined ? {} : { snapshot: view }),
  });
  // One step is read by another thread while the one before is worked on. How a step ended is told when it is its turn, if
  // the reader comes for it at all.
  const readStep = (): Promise<readonly StoreEntry[]> => {
    const step = iterator.nextv(entries).then((pairs) => pairs.map(([key, value]) => ({ key, value })));
    step.catch(() => undefined);
    return step;
  };
  let reading = readStep();
  try {
    for (;;) {
      const step = await reading;
      if (step.length === 0) return;
      reading = readStep();
      yield step;
    }
  } finally {
    await iterator.close();
  }
}

/** Rewrites the files that hold keys of the range, and the log, without what was replaced or deleted. */
export async function compactRange(database: Database, from: string, to: string): Promise<void> {
  // On Node a Level is a ClassicLevel, which the types of the package, made for browsers too, do not say.
  await (database as Database & { compactRange(from: string, to: string): Promise<void> }).compactRange(from, to);
}

export interface DatabaseWrite {
  readonly puts: readonly StoreEntry[];
  readonly deletes: readonly string[];
}

/** Writes all or nothing; durable when it resolves. (The chained form is up to twice as fast as an array of operations.) */
export async function writeDurably(database: Database, write: DatabaseWrite): Promise<void> {
  const batch = database.batch();
  for (const { key, value } of write.puts) batch.put(key, value);
  for (const key of write.deletes) batch.del(key);
  await batch.write({ sync: true });
}

interface OpenOptions {
  readonly createIfMissing: boolean;
  readonly clock: Clock;
}

async function open(paths: DataDirectoryPaths, options: OpenOptions): Promise<Database> {
  const database: Database = new Level(paths.database, { createIfMissing: options.createIfMissing });
  try {
    await database.open();
  } catch (error) {
    if (hasErrorCode(error, "LEVEL_LOCKED")) throw await lockedError(paths, error);
    if (hasErrorCode(error, "LEVEL_CORRUPTION"))
      throw damaged(paths, `its database says: ${rootMessage(error)}`, error);
    throw toStoreError(error, `${paths.database} cannot be opened`);
  }
  noteOwner(paths, options.clock);
  return database;
}

/** LevelDB checks this too, but some of it calls "IO error", which reads like a failing disk. */
async function checkFiles(paths: DataDirectoryPaths): Promise<void> {
  const current = await readIfPresent(join(paths.database, "CURRENT"));
  if (current === undefined) throw damaged(paths, "database/CURRENT, the file that names the others, is missing");
  const manifest = current.trim();
  if (!/^MANIFEST-\d+$/.test(manifest)) throw damaged(paths, "database/CURRENT is altered");
  const size = await stat(join(paths.database, manifest)).then(
    (file) => file.size,
    () => 0,
  );
  if (size === 0) throw damaged(paths, `database/${manifest}, the list of its files, is missing or empty`);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasErrorCode(error, "ENOENT") || hasErrorCode(error, "ENOTDIR")) return undefined;
    throw toStoreError(error, `${path} cannot be read`);
  }
}

/** For the message of `lockedError` alone: the lock itself is LevelDB's, and ends with the process. */
function noteOwner(paths: DataDirectoryPaths, clock: Clock): void {
  const since = new Date(clock.wallMs()).toISOString();
  try {
    writeFileSync(paths.owner, `${JSON.stringify({ pid: process.pid, since })}\n`);
  } catch {
    // A directory without its note is as good as one with it.
  }
}

async function lockedError(paths: DataDirectoryPaths, cause: unknown): Promise<StoreError> {
  const note = await readFile(paths.owner, "utf8").catch(() => "");
  const match = /^\{"pid":(\d+),"since":"([^"]+)"\}/.exec(note);
  const owner = match === null ? "another process" : `process ${match[1]} (since ${match[2]})`;
  const message = `${paths.directory} is in use by ${owner}. Stop that one first, or name another directory.`;
  return new StoreError("locked", message, cause);
}

function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root.message : String(root);
}
