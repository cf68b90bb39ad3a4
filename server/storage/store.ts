/**
 * The store's contract, small on purpose: load everything, commit a batch, follow nothing. One writer (the engine) commits
 * one batch after the other; each batch is all or nothing, durable when `commit` resolves, and has the next revision.
 * Whoever implements it passes the suite in `test/contract/store`.
 */

export interface StoreBatch {
  /** The revision that the store has afterwards: the one before plus one. */
  readonly revision: number;
  /** Records to write. A key stands at most once in a batch, either here or in `deletes`. */
  readonly puts: readonly StoreEntry[];
  /** Keys to remove; a key that is not there is no error. */
  readonly deletes: readonly string[];
}

export interface StoreEntry {
  /** `kind/id`, such as `vm/build-7`. */
  readonly key: string;
  /** An encoded record; see `record-format.ts`. */
  readonly value: string;
}

export interface StoreContents {
  /** The revision of the last committed batch; 0 for a new store. */
  readonly revision: number;
  readonly entries: readonly StoreEntry[];
}

export interface Store {
  /** Everything that is stored, once, at the start. Rejects with a `StoreError`. */
  load(): Promise<StoreContents>;
  /** Makes a batch durable. One call at a time. A rejection (`StoreError`) means that nothing more may be committed. */
  commit(batch: StoreBatch): Promise<void>;
  /** A consistent copy of all entries as of one revision, while commits go on. */
  snapshot(): Promise<StoreSnapshot>;
  /** Ends it; a commit under way is finished first. */
  close(): Promise<void>;
}

export interface StoreSnapshot {
  readonly revision: number;
  entries(): AsyncIterable<StoreEntry>;
  close(): Promise<void>;
}

/**
 * Why a store cannot be used. The message says what happened and what the operator should do.
 * - locked: another process uses the directory.
 * - damaged: records are missing or altered.
 * - foreign: the directory holds something else, or is another pool's.
 * - newer: a newer version of Meridian wrote it.
 * - full: no room on the disk.
 * - failed: reading or writing failed.
 */
export type StoreErrorKind = "locked" | "damaged" | "foreign" | "newer" | "full" | "failed";

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly kind: StoreErrorKind;

  constructor(kind: StoreErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}
