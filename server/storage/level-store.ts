/**
 * The store on disk: LevelDB in a data directory, with the guards that make it notice what LevelDB does not. It promises
 * what `store.ts` says; one batch is one synced write, and grouping many changes into one batch is the engine's business.
 */
import type { Clock } from "../../shared/clock.ts";
import type { IdSource, Uid } from "../../shared/ids.ts";
import { AcknowledgedRevision } from "./acknowledged-revision.ts";
import { CommitGate } from "./commit-gate.ts";
import { type DataDirectoryPaths, damaged, dataDirectoryPaths } from "./data-directory.ts";
import { openDataDirectory } from "./data-directory-opening.ts";
import { dropImage } from "./database-image.ts";
import { type CommitRecord, commitRecordKey, encodeCommitRecord, LiveDigest } from "./integrity.ts";
import type { RecordKindName } from "./key-layout.ts";
import { compactRange, type Database, writeDurably } from "./level-database.ts";
import { openLevelSnapshot } from "./level-snapshot.ts";
import { toStoreError } from "./storage-errors.ts";
import { type Store, type StoreBatch, type StoreContents, StoreError, type StoreSnapshot } from "./store.ts";
import { readVerified, type VerifiedContents } from "./verified-reading.ts";

export interface LevelStoreSources {
  /** Names the pool of a new directory. */
  readonly ids: IdSource;
  /** For times that people read. */
  readonly clock: Clock;
}

/**
 * Opens the data directory, making it if it is absent or empty, and begins to read it, so that other work can be done until
 * it is loaded. Rejects with a `StoreError` that says what to do; a directory that is refused is left as it was.
 */
export async function openLevelStore(directory: string, sources: LevelStoreSources): Promise<LevelStore> {
  const paths = dataDirectoryPaths(directory);
  const { database, marker } = await openDataDirectory(paths, sources);
  try {
    return new LevelStore({
      paths,
      database,
      poolUid: marker.poolUid,
      acknowledged: new AcknowledgedRevision(paths.acknowledged),
    });
  } catch (error) {
    await database.close();
    throw toStoreError(error, `${paths.acknowledged} cannot be opened`);
  }
}

interface LevelStoreParts {
  readonly paths: DataDirectoryPaths;
  readonly database: Database;
  readonly poolUid: Uid;
  readonly acknowledged: AcknowledgedRevision;
}

export class LevelStore implements Store {
  /** The pool whose data this is; made with the directory. */
  readonly poolUid: Uid;
  readonly #paths: DataDirectoryPaths;
  readonly #database: Database;
  readonly #acknowledged: AcknowledgedRevision;
  readonly #gate = new CommitGate();
  readonly #digest = new LiveDigest();
  readonly #reading: Promise<VerifiedContents>;
  /** The end of the image of the files before this start. */
  #dropping: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  /** Use `openLevelStore`. */
  constructor(parts: LevelStoreParts) {
    this.poolUid = parts.poolUid;
    this.#paths = parts.paths;
    this.#database = parts.database;
    this.#acknowledged = parts.acknowledged;
    this.#reading = readVerified(this.#database, { paths: this.#paths, digest: this.#digest });
    // Told by `load`; a store that is closed before has nobody to tell.
    this.#reading.catch(() => undefined);
  }

  /** Everything, verified. Besides what the contract says, a rejection leaves nothing to do but to close. */
  async load(): Promise<StoreContents> {
    this.#gate.enterLoad();
    const { commit, entries } = await this.#reading;
    this.#checkPool(commit);
    try {
      this.#checkAcknowledged(commit.revision);
      this.#dropping = dropImage(this.#paths);
    } catch (error) {
      throw toStoreError(error, `${this.#paths.directory} cannot be made ready`);
    }
    this.#gate.loaded(commit.revision);
    return { revision: commit.revision, entries };
  }

  commit(batch: StoreBatch): Promise<void> {
    return this.#gate.commit(batch, () => this.#write(batch));
  }

  async snapshot(): Promise<StoreSnapshot> {
    this.#gate.enterRead();
    return await openLevelSnapshot(this.#database, this.#paths);
  }

  /** Writes the files anew in which the kind's records stand, without what was replaced or deleted: it is then on the disk no more. */
  async compact(kind: RecordKindName): Promise<void> {
    this.#gate.enterRead();
    try {
      await compactRange(this.#database, `${kind}/`, `${kind}0`);
    } catch (error) {
      throw toStoreError(error, `${this.#paths.database} cannot be compacted`);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The digest runs ahead of the disk here; that is harmless, because a failed write is the last one. */
  async #write(batch: StoreBatch): Promise<void> {
    for (const { key, value } of batch.puts) this.#digest.put(key, value);
    for (const key of batch.deletes) this.#digest.delete(key);
    const { count, sum } = this.#digest;
    const value = encodeCommitRecord({ poolUid: this.poolUid, revision: batch.revision, count, sum });
    try {
      await writeDurably(this.#database, {
        puts: [...batch.puts, { key: commitRecordKey, value }],
        deletes: batch.deletes,
      });
      this.#acknowledged.note(batch.revision);
    } catch (error) {
      throw toStoreError(error, `revision ${batch.revision} cannot be stored in ${this.#paths.directory}`);
    }
  }

  #checkPool(commit: CommitRecord): void {
    if (commit.poolUid === this.poolUid) return;
    const message =
      `${this.#paths.database} belongs to pool ${commit.poolUid}, and ${this.#paths.marker} to pool ${this.poolUid}: ` +
      "files of two data directories were mixed. Put the right ones together, or restore a backup into an empty directory.";
    throw new StoreError("foreign", message);
  }

  #checkAcknowledged(revision: number): void {
    const acknowledged = this.#acknowledged.read();
    if (acknowledged !== undefined && acknowledged > revision) {
      const what =
        `its last changes are missing: revision ${acknowledged} was acknowledged, and the database ends with ${revision} ` +
        `(to go on without those changes all the same, delete ${this.#paths.acknowledged})`;
      throw damaged(this.#paths, what);
    }
    this.#acknowledged.reset(revision);
  }

  async #close(): Promise<void> {
    await this.#gate.close();
    await this.#dropping;
    try {
      await this.#database.close();
    } catch (error) {
      throw toStoreError(error, `${this.#paths.database} cannot be closed`);
    } finally {
      this.#acknowledged.close();
    }
  }
}
