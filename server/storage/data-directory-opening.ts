/**
 * From a path to an open database: makes a new data directory, finishes one whose making was interrupted, or opens one that
 * is ready. Each step is durable before the next; see `data-directory.ts` for what the states of the marker mean.
 */
import { rm } from "node:fs/promises";
import type { Clock } from "../../shared/clock.ts";
import type { IdSource } from "../../shared/ids.ts";
import { AcknowledgedRevision } from "./acknowledged-revision.ts";
import {
  createMarker,
  type DataDirectoryPaths,
  damaged,
  type Marker,
  markReady,
  readMarker,
} from "./data-directory.ts";
import { commitRecordKey, encodeCommitRecord, LiveDigest } from "./integrity.ts";
import { layoutVersion } from "./key-layout.ts";
import { createDatabase, type Database, openDatabase, readEntries, writeDurably } from "./level-database.ts";
import { toStoreError } from "./storage-errors.ts";
import { StoreError } from "./store.ts";

export interface OpenDataDirectory {
  readonly database: Database;
  readonly marker: Marker;
}

/** Rejects with a `StoreError`. */
export async function openDataDirectory(
  paths: DataDirectoryPaths,
  sources: { readonly ids: IdSource; readonly clock: Clock },
): Promise<OpenDataDirectory> {
  const { ids, clock } = sources;
  const marker = await readMarker(paths);
  if (marker?.state === "ready") return { database: await openDatabase(paths, clock), marker };
  if (marker?.state === "restoring") throw restoreUnfinished(paths);
  if (marker === undefined) {
    const createTime = new Date(clock.wallMs()).toISOString();
    await createMarker(paths, { layout: layoutVersion, state: "creating", poolUid: ids.uid(), createTime });
  }
  return await finishCreating(paths, clock);
}

/**
 * Writes what makes a directory ready: the first commit record, the note of the acknowledged revision, and at last the
 * marker. Returns the marker.
 */
export async function completeDirectory(
  paths: DataDirectoryPaths,
  { database, marker }: OpenDataDirectory,
  contents: { readonly revision: number; readonly digest: LiveDigest },
): Promise<Marker> {
  const { count, sum } = contents.digest;
  const value = encodeCommitRecord({ poolUid: marker.poolUid, revision: contents.revision, count, sum });
  try {
    await writeDurably(database, { puts: [{ key: commitRecordKey, value }], deletes: [] });
    const acknowledged = new AcknowledgedRevision(paths.acknowledged);
    try {
      acknowledged.reset(contents.revision);
    } finally {
      acknowledged.close();
    }
  } catch (error) {
    throw toStoreError(error, `${paths.directory} cannot be made ready`);
  }
  return await markReady(paths, marker);
}

async function finishCreating(paths: DataDirectoryPaths, clock: Clock): Promise<OpenDataDirectory> {
  const database = await createOrReplaceDatabase(paths, clock);
  try {
    // Only now is the directory ours alone: another process may have finished it meanwhile.
    const marker = await readMarker(paths);
    if (marker === undefined) throw damaged(paths, "its marker, meridian.json, has just been removed");
    if (marker.state === "ready") return { database, marker };
    if (marker.state === "restoring") throw restoreUnfinished(paths);
    await assertNoRecords(paths, database);
    const contents = { revision: 0, digest: new LiveDigest() };
    return { database, marker: await completeDirectory(paths, { database, marker }, contents) };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/**
 * Nothing was ever acknowledged in a directory that is being created, so a half-made database, which a power cut can leave
 * behind, is made anew.
 */
async function createOrReplaceDatabase(paths: DataDirectoryPaths, clock: Clock): Promise<Database> {
  try {
    return await createDatabase(paths, clock);
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== "damaged") throw error;
    await rm(paths.database, { recursive: true, force: true });
    return await createDatabase(paths, clock);
  }
}

/** Records in a directory that is not ready: somebody put an old marker beside a database in use. */
async function assertNoRecords(paths: DataDirectoryPaths, database: Database): Promise<void> {
  for await (const step of readEntries(database)) {
    if (step.some(({ key }) => key !== commitRecordKey)) {
      throw damaged(paths, "its marker, meridian.json, says that it is new, and its database holds records");
    }
  }
}

function restoreUnfinished(paths: DataDirectoryPaths): StoreError {
  const message =
    `${paths.directory} is what an unfinished restore left behind. ` +
    "Delete the directory and restore the backup again. Nothing was changed.";
  return new StoreError("damaged", message);
}
