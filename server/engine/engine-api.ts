/** What the edges may ask of the engine. */

import type { DurableBatch } from "../pool/changes.ts";
import type { EventReply, PoolEvent } from "../pool/events.ts";
import type { PoolView } from "../pool/view.ts";

export interface EngineApi {
  /**
   * Applies an event. Resolves with its reply once everything that the reply tells of is durable; rejects with a
   * `MeridianError` when the event is refused (which too waits for what the refusal tells of).
   */
  submit<E extends PoolEvent>(event: E): Promise<EventReply<E>>;
  /**
   * Reads the pool as it is now: calls `read` at once and resolves with its result when all that it may have seen is durable.
   * `read` must not keep the view, nor return anything that changes (records do not).
   */
  read<T>(read: (view: PoolView) => T): Promise<T>;
  /**
   * Follows the durable changes after a revision, a batch at a time, until the signal is aborted. Throws `MeridianError`:
   * REVISION_TOO_OLD if changes right after `fromRevision` are no longer kept when it begins, WATCHER_TOO_SLOW when the
   * reader falls so far behind that changes are dropped before it read them. There is no queue for each reader.
   */
  follow(fromRevision: number, signal: AbortSignal): AsyncIterable<DurableBatch>;
  /** Calls the listener with each batch, in order, once it is durable. */
  onDurable(listener: (batch: DurableBatch) => void): { cancel(): void };
  /** The pool's time: ms since 1970, never going back. */
  nowMs(): number;
}

export type { DurableBatch, RecordChange } from "../pool/changes.ts";
