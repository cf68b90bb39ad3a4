/** Reads a whole database, or a snapshot of one, and holds it against its commit record. */
import { type DataDirectoryPaths, damaged } from "./data-directory.ts";
import { type CommitRecord, commitRecordKey, decodeCommitRecord, type LiveDigest } from "./integrity.ts";
import { type Database, type DatabaseView, readEntries } from "./level-database.ts";
import { toStoreError } from "./storage-errors.ts";
import type { StoreEntry } from "./store.ts";

export interface VerifiedContents {
  readonly commit: CommitRecord;
  readonly entries: readonly StoreEntry[];
}

export interface VerifiedReading {
  /** For the messages of errors. */
  readonly paths: DataDirectoryPaths;
  /** Empty; holds all records afterwards. */
  readonly digest: LiveDigest;
  readonly view?: DatabaseView;
}

/** Everything, in memory. Rejects with `StoreError` "damaged" when records are missing or altered. */
export async function readVerified(database: Database, reading: VerifiedReading): Promise<VerifiedContents> {
  const entries: StoreEntry[] = [];
  const steps = streamVerified(database, reading);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { commit: step.value, entries };
    for (const entry of step.value) entries.push(entry);
  }
}

/**
 * Everything, step by step; returns the commit record, or throws `StoreError` "damaged", after the last step. So what was
 * read is known to be complete only at the end.
 */
export async function* streamVerified(
  database: Database,
  { paths, digest, view }: VerifiedReading,
): AsyncGenerator<readonly StoreEntry[], CommitRecord> {
  let commit: CommitRecord | undefined;
  try {
    for await (const step of readEntries(database, view)) {
      // The commit record's key sorts first, so it is the first entry of the first step.
      const first = step[0]?.key === commitRecordKey ? step[0] : undefined;
      if (first !== undefined) commit = decodeCommitRecord(first.value);
      const records = first === undefined ? step : step.slice(1);
      for (const { key, value } of records) digest.put(key, value);
      yield records;
    }
  } catch (error) {
    const failure = toStoreError(error, `${paths.database} cannot be read`);
    throw failure.kind === "damaged" ? damaged(paths, "a part of its database is unreadable", error) : failure;
  }
  if (commit === undefined) throw damaged(paths, "its database has no readable commit record");
  verify(paths, commit, digest);
  return commit;
}

function verify(paths: DataDirectoryPaths, commit: CommitRecord, digest: LiveDigest): void {
  if (digest.count === commit.count && digest.sum === commit.sum) return;
  const difference =
    digest.count === commit.count
      ? `some of its ${commit.count} records are altered or of an older revision`
      : `it has ${digest.count} records where revision ${commit.revision} had ${commit.count}`;
  throw damaged(paths, difference);
}
