/** A consistent copy of the store on disk, while commits go on: LevelDB keeps the old values until the snapshot closes. */
import { type DataDirectoryPaths, damaged } from "./data-directory.ts";
import { commitRecordKey, decodeCommitRecord, LiveDigest } from "./integrity.ts";
import type { Database, DatabaseView } from "./level-database.ts";
import { toStoreError } from "./storage-errors.ts";
import type { StoreEntry, StoreSnapshot } from "./store.ts";
import { streamVerified } from "./verified-reading.ts";

/** Rejects with a `StoreError`. Reading the entries to their end verifies them, and throws "damaged" if they are not whole. */
export async function openLevelSnapshot(database: Database, paths: DataDirectoryPaths): Promise<StoreSnapshot> {
  const view = database.snapshot();
  try {
    const text = await database.get(commitRecordKey, { snapshot: view });
    const commit = text === undefined ? undefined : decodeCommitRecord(text);
    if (commit === undefined) throw damaged(paths, "its database has no readable commit record");
    return {
      revision: commit.revision,
      entries: () => readSnapshot(database, paths, view),
      close: () => view.close(),
    };
  } catch (error) {
    await view.close();
    throw toStoreError(error, `${paths.database} cannot be read`);
  }
}

async function* readSnapshot(
  database: Database,
  paths: DataDirectoryPaths,
  view: DatabaseView,
): AsyncIterable<StoreEntry> {
  for await (const step of streamVerified(database, { paths, digest: new LiveDigest(), view })) yield* step;
}
