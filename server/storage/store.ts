/**
 * The store's contract, small on purpose: load everything, commit a batch, follow nothing. One writer (the engine) commits
 * one batch after the other; each batch is all or nothing, durable when `commit` resolves, and has the next revision.
 * Whoever implements it passes the suite in `test/contract/store`.
 *
 * Fail-stop: a store whose commit failed takes no further one, because it cannot know what of the failed batch a restart
 * will find. The engine ends the process, and the next start reads what is really there.
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
  /** `kind/id`, such as `vm/build-7`; see `key-layout.ts`. */
  readonly key: string;
  /** An encoded record; see `record-format.ts`. */
  readonly value: string;
}

export interface StoreContents {
  /** The revision of the last committed batch; 0 for a new store. */
  readonly revision: number;
  /** All records, in the order of their keys' characters. */
  readonly entries: readonly StoreEntry[];
}

export interface Store {
  /** Everything that is stored, once, before the first commit. Rejects with a `StoreError`. */
  load(): Promise<StoreContents>;
  /**
   * Makes a batch durable. One call at a time, after `load`; anything else is an assertion. A rejection (`StoreError`)
   * means that nothing more may be committed, and leaves open whether this batch will be found after a restart.
   */
  commit(batch: StoreBatch): Promise<void>;
  /**
   * A consistent copy of all entries as of one revision, while commits go on. The copy shows durable batches only. It holds
   * back the store's clean-up, so close it soon. Rejects with a `StoreError`.
   */
  snapshot(): Promise<StoreSnapshot>;
  /** Ends it; a commit under way is finished first. Closing twice is harmless; a closed store rejects every call. */
  close(): Promise<void>;
}

export interface StoreSnapshot {
  readonly revision: number;
  /** All records, in the order of their keys' characters; may be called more than once. */
  entries(): AsyncIterable<StoreEntry>;
  /** Closing twice is harmless. */
  close(): Promise<void>;
}

/**
 * Why a store cannot be used. The message says what happened and what the operator should do.
 * - locked: another process uses the directory.
 * - damaged: records are missing or altered.
 * - foreign: the directory holds something else, or is another pool's.
 * - newer: a newer version of Meridian wrote it.
 * - sealed: the key that opens its secrets is missing.
 * - full: no room on the disk.
 * - failed: reading or writing failed.
 */
export type StoreErrorKind = "locked" | "damaged" | "foreign" | "newer" | "sealed" | "full" | "failed";

export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly kind: StoreErrorKind;

  constructor(kind: StoreErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}
