/**
 * The newest durable batches, kept for watchers. They all read from this one log, each at its own place: a slow watcher holds
 * nothing back and needs no queue of its own; when what it has not read yet is dropped, it is told so.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { DurableBatch } from "../pool/changes.ts";

/** How many changes are kept: enough for a burst of 4,000 VMs from request to running, about 100 MB of records at worst. */
export const keptChangesMax = 50_000;

export class ChangeLog {
  private batches: DurableBatch[] = [];
  /** How many batches at the beginning of `batches` are dropped already. */
  private droppedCount = 0;
  private changeCount = 0;
  private durableRevision: number;
  private readonly waiting = new Set<() => void>();
  private readonly changesMax: number;
  private isClosed = false;

  /** @param revision the store's revision: what was before it is not kept. */
  constructor(revision: number, changesMax: number = keptChangesMax) {
    this.durableRevision = revision;
    this.changesMax = changesMax;
  }

  /** The revision of the newest durable batch. */
  get revision(): number {
    return this.durableRevision;
  }

  append(batch: DurableBatch): void {
    this.batches.push(batch);
    this.changeCount += batch.changes.length;
    this.durableRevision = batch.revision;
    while (this.changeCount > this.changesMax && this.batches.length - this.droppedCount > 1) this.dropOldest();
    this.wakeAll();
  }

  /** Ends all followers. */
  close(): void {
    this.isClosed = true;
    this.wakeAll();
  }

  /** See `EngineApi.follow`. Ends without an error when the log is closed or the signal is aborted. */
  async *follow(fromRevision: number, signal: AbortSignal): AsyncGenerator<DurableBatch, void> {
    if (fromRevision > this.durableRevision) throw unknownRevision(fromRevision, this.durableRevision);
    if (fromRevision + 1 < this.firstKept) throw tooOld(fromRevision);
    let nextRevision = fromRevision + 1;
    while (!signal.aborted && !this.isClosed) {
      if (nextRevision > this.durableRevision) {
        await this.untilAppended(signal);
        continue;
      }
      if (nextRevision < this.firstKept) throw tooSlow();
      const batch = this.batches[this.droppedCount + nextRevision - this.firstKept];
      if (batch === undefined) throw tooSlow();
      nextRevision += 1;
      yield batch;
    }
  }

  /** The revision of the oldest batch that is kept; one more than the newest if none is. */
  private get firstKept(): number {
    return this.durableRevision + 1 - (this.batches.length - this.droppedCount);
  }

  private dropOldest(): void {
    this.changeCount -= this.batches[this.droppedCount]?.changes.length ?? 0;
    this.droppedCount += 1;
    // The array is cut only now and then, so that dropping one batch does not move all others.
    if (this.droppedCount * 2 > this.batches.length) {
      this.batches = this.batches.slice(this.droppedCount);
      this.droppedCount = 0;
    }
  }

  private wakeAll(): void {
    const wakers = [...this.waiting];
    this.waiting.clear();
    for (const wake of wakers) wake();
  }

  private untilAppended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}

function tooOld(revision: number): MeridianError {
  return new MeridianError(
    "REVISION_TOO_OLD",
    `changes after revision ${revision} are no longer kept; list again and watch from there`,
    {
      metadata: { revision: String(revision) },
    },
  );
}

/** A revision that was never reached here: that of another pool, or of one that was restored from a backup. */
function unknownRevision(revision: number, newest: number): MeridianError {
  return new MeridianError(
    "REVISION_TOO_OLD",
    `revision ${revision} has not been reached here, only ${newest}; list again and watch from there`,
    {
      metadata: { revision: String(revision), newest: String(newest) },
    },
  );
}

function tooSlow(): MeridianError {
  return new MeridianError(
    "WATCHER_TOO_SLOW",
    "changes came faster than they were read; list again and watch from there",
    {
      retryAfterMs: 1000,
    },
  );
}
