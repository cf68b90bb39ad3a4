/**
 * Restores a backup into an empty directory, and only there. The directory is no data directory before the backup was read
 * to its end and found whole: until then its marker says "restoring", which no server starts on, and a refused backup
 * leaves the directory as empty as it was.
 *
 * The pool went on after the backup was made, and clients and agents remember how far: revisions, epochs, generations and
 * numbers of commands that it gave out then must never be given out again for something else. So a restored pool goes on far
 * beyond where it can have been: its revision is higher by `restoreStep`, and every record as its owner says.
 */
import { rm } from "node:fs/promises";
import type { Clock } from "../../shared/clock.ts";
import { type Backup, type BackupHeader, decodeBackup } from "./backup.ts";
import {
  createMarker,
  type DataDirectoryPaths,
  dataDirectoryPaths,
  type Marker,
  readMarker,
} from "./data-directory.ts";
import { completeDirectory } from "./data-directory-opening.ts";
import { LiveDigest } from "./integrity.ts";
import { layoutVersion } from "./key-layout.ts";
import { createDatabase, type Database, writeDurably } from "./level-database.ts";
import { toStoreError } from "./storage-errors.ts";
import { type StoreEntry, StoreError } from "./store.ts";

/**
 * How far a restored pool goes on beyond its backup: more than any pool counts (at 10,000 batches a second it is three years
 * of them), and so round that one can see it. There is room for 9,000 restores, one of the other's backup.
 */
export const restoreStep = 1_000_000_000_000;

export interface RestoreTarget {
  /** Absent or empty. */
  readonly directory: string;
  readonly clock: Clock;
  /** What a record of the backup becomes, with all that it counts higher by `step`. */
  readonly renew: (entry: StoreEntry, step: number) => StoreEntry;
}

export interface RestoreSummary {
  /** What the backup says of itself. */
  readonly backup: BackupHeader;
  readonly records: number;
  /** The restored pool's. */
  readonly revision: number;
}

/**
 * Rejects with `StoreError`: foreign when the directory is not empty or the bytes are no backup; damaged or newer when the
 * backup is; full, failed.
 */
export async function restoreBackup(bytes: AsyncIterable<Uint8Array>, target: RestoreTarget): Promise<RestoreSummary> {
  const paths = dataDirectoryPaths(target.directory);
  if ((await readMarker(paths)) !== undefined) throw notEmpty(paths);
  const backup = await decodeBackup(bytes);
  const { header } = backup;
  const createTime = new Date(target.clock.wallMs()).toISOString();
  const marker: Marker = { layout: layoutVersion, state: "restoring", poolUid: header.poolUid, createTime };
  if (!(await createMarker(paths, marker))) throw notEmpty(paths);
  try {
    const database = await createDatabase(paths, target.clock);
    try {
      const digest = await writeEntries(database, backup.entries, target.renew);
      const revision = header.revision + restoreStep;
      await completeDirectory(paths, { database, marker }, { revision, digest });
      return { backup: header, records: digest.count, revision };
    } finally {
      await database.close();
    }
  } catch (error) {
    await clear(paths);
    throw toStoreError(error, `the backup cannot be restored into ${paths.directory}`);
  }
}

async function writeEntries(
  database: Database,
  entries: Backup["entries"],
  renew: RestoreTarget["renew"],
): Promise<LiveDigest> {
  const digest = new LiveDigest();
  for await (const step of entries) {
    const puts = step.map((entry) => renew(entry, restoreStep));
    for (const { key, value } of puts) digest.put(key, value);
    await writeDurably(database, { puts, deletes: [] });
  }
  return digest;
}

/** The marker goes last: what a crash leaves of this is still a directory that nothing starts on. */
async function clear(paths: DataDirectoryPaths): Promise<void> {
  for (const path of [paths.database, paths.acknowledged, paths.owner, paths.marker]) {
    await rm(path, { recursive: true, force: true });
  }
}

function notEmpty(paths: DataDirectoryPaths): StoreError {
  const message = `${paths.directory} is not empty: a backup is restored into an empty or new directory only. Nothing was changed.`;
  return new StoreError("foreign", message);
}
