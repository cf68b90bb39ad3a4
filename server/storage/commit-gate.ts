/**
 * The order of calls that every store keeps, whatever is below it: load once, then one commit at a time with the next
 * revision, nothing after a failure, nothing after the end. Stores ask here first, so that they all agree.
 */
import { assert } from "../../shared/assert.ts";
import { type StoreBatch, StoreError } from "./store.ts";

export class CommitGate {
  /** The revision of the last durable batch; undefined until the store is loaded. */
  #revision: number | undefined;
  #failure: StoreError | undefined;
  #closed = false;
  #underWay: Promise<void> = Promise.resolve();
  #isCommitting = false;

  /** Before loading. Throws when the store is closed; asserts that it is the first time. */
  enterLoad(): void {
    this.enterRead();
    assert(this.#revision === undefined, "a store is loaded once");
  }

  /** After loading: commits may begin, at `revision` plus one. */
  loaded(revision: number): void {
    this.#revision = revision;
  }

  /** Before reading. Throws a `StoreError` when the store is closed. */
  enterRead(): void {
    if (this.#closed) throw new StoreError("failed", "the store is closed");
  }

  /**
   * Runs `write`, which makes the batch durable, if a commit is allowed now. The first rejection of `write` is the last
   * word: this and every later commit rejects with it, as a `StoreError`.
   */
  async commit(batch: StoreBatch, write: () => Promise<void>): Promise<void> {
    this.enterRead();
    assert(this.#revision !== undefined, "a store is loaded before the first commit");
    assert(!this.#isCommitting, "one commit at a time");
    if (this.#failure !== undefined) {
      const message = `nothing more is stored, because an earlier commit failed: ${this.#failure.message}`;
      throw new StoreError(this.#failure.kind, message, this.#failure);
    }
    assert(batch.revision === this.#revision + 1, `batch ${batch.revision} follows revision ${this.#revision}`);
    this.#isCommitting = true;
    const attempt = this.#attempt(batch.revision, write);
    this.#underWay = attempt.catch(() => undefined);
    await attempt;
  }

  /** No more calls from now on; resolves when the commit under way, if any, has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#underWay;
  }

  async #attempt(revision: number, write: () => Promise<void>): Promise<void> {
    try {
      await write();
      this.#revision = revision;
    } catch (error) {
      this.#failure =
        error instanceof StoreError ? error : new StoreError("failed", `storing revision ${revision} failed`, error);
      throw this.#failure;
    } finally {
      this.#isCommitting = false;
    }
  }
}
