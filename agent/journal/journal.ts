/**
 * What the agent must still know after a crash. What is written here holds in memory at once and is durable when the promise
 * resolves; whoever acts on it waits for that. Writes that come together go to the disk together. When a write fails, its
 * callers are told or go on waiting, as they like, and the next one replaces the whole file by all that is so, until that
 * succeeds.
 */
import { type Cancellable, type Clock, systemClock } from "../../shared/clock.ts";
import { type Logger, silentLogger } from "../../shared/log.ts";
import { JournalFailed, JournalRefused } from "./journal-errors.ts";
import { decodeJournal, encodeJournal, encodeWrite, journalLineCount } from "./journal-lines.ts";
import type { JournalRecord } from "./journal-record.ts";
import { defaultJournalBounds, type JournalBounds, JournalState } from "./journal-state.ts";
import type { JournalStorage } from "./journal-storage.ts";

/** The file is written anew when so many bytes, and as many as it began with, were added: at most twice the work. */
const rewriteMinBytes = 256 * 1024;
/** The time between two tries after a failed write, in ms. */
const retryMs = 5_000;

export interface JournalOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly bounds?: JournalBounds;
}

interface Waiting {
  readonly records: readonly JournalRecord[];
  readonly written: PromiseWithResolvers<void>;
  /** Told of a failure in place of `written`, which waits for the next write that succeeds. */
  readonly onDelayed?: () => void;
}

export class Journal {
  readonly state: JournalState;
  readonly #storage: JournalStorage | undefined;
  readonly #options: JournalOptions;
  #queue: Waiting[] = [];
  /** What a failed write has left behind that is to be written all the same. Bounded, since each is a command that is open. */
  #delayed: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #lineCount = 0;
  #rewrittenBytes = 0;
  #addedBytes = 0;
  #mustRewrite = true;
  #isFailing = false;
  #isClosed = false;
  #retry: Cancellable | undefined;

  /** Use `openJournal` or `createVolatileJournal`. */
  constructor(storage: JournalStorage | undefined, state: JournalState, options: JournalOptions) {
    this.#storage = storage;
    this.state = state;
    this.#options = options;
  }

  /** Rejects with `JournalFailed` if the records could not be made durable; they hold in memory all the same. */
  write(...records: readonly JournalRecord[]): Promise<void> {
    return this.#enqueue({ records, written: Promise.withResolvers() });
  }

  /**
   * As `write`, but tried until it succeeds; rejects with `JournalFailed` only if the journal is closed before.
   * @param onDelayed the first try has failed: the rest takes until the disk can be written again.
   */
  keep(record: JournalRecord, onDelayed: () => void): Promise<void> {
    return this.#enqueue({ records: [record], written: Promise.withResolvers(), onDelayed });
  }

  /** As `write`, for what nobody waits for: a failure is logged and made good by a later write. */
  note(...records: readonly JournalRecord[]): void {
    this.write(...records).catch(() => undefined);
  }

  /** What is not worth a write of its own: it holds in memory, and is on disk after the next whole writing. */
  remember(record: JournalRecord): void {
    this.state.apply(record);
  }

  /** Writes the file anew, without what is no longer so, such as the secrets of commands that have ended. */
  tidy(): void {
    if (this.#storage === undefined || this.#isClosed) return;
    this.#mustRewrite = true;
    this.note();
  }

  /** Waits for what is being written and lets go of the storage. Twice is harmless. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    await this.#writing;
    for (const { written } of this.#delayed.splice(0)) written.reject(closedError());
    await this.#storage?.close();
  }

  #enqueue(waiting: Waiting): Promise<void> {
    for (const record of waiting.records) this.state.apply(record);
    if (this.#storage === undefined) return Promise.resolve();
    if (this.#isClosed) return Promise.reject(closedError());
    this.#queue.push(waiting);
    this.#startWriting(this.#storage);
    return waiting.written.promise;
  }

  #startWriting(storage: JournalStorage): void {
    this.#writing ??= this.#writeAll(storage);
  }

  async #writeAll(storage: JournalStorage): Promise<void> {
    // Everything that is asked for in this turn of the event loop goes together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#writeBatch(storage, batch);
        this.#noteSuccess();
        // After a failure the whole state was written, and with it what was delayed.
        for (const { written } of [...this.#delayed.splice(0), ...batch]) written.resolve();
      } catch (error) {
        this.#noteFailure(error);
        for (const waiting of batch) this.#putOff(waiting, error);
      }
    }
    // In the same turn in which the queue was found empty, so that nobody queues behind a loop that has ended.
    this.#writing = undefined;
  }

  async #writeBatch(storage: JournalStorage, batch: readonly Waiting[]): Promise<void> {
    if (this.#mustRewrite || this.#addedBytes > Math.max(rewriteMinBytes, this.#rewrittenBytes)) {
      // All of the batch is in the state already, and nothing that is not in the state or in the batch is in the queue.
      const bytes = encodeJournal(this.state.snapshot());
      // A tidying that is asked for while this is being written is another one.
      this.#mustRewrite = false;
      await storage.replace(bytes).catch((error: unknown) => {
        this.#mustRewrite = true;
        throw error;
      });
      this.#lineCount = journalLineCount;
      this.#rewrittenBytes = bytes.length;
      this.#addedBytes = 0;
      return;
    }
    const bytes = encodeWrite(
      this.#lineCount,
      batch.flatMap(({ records }) => records),
    );
    await storage.append(bytes).catch((error: unknown) => {
      // A part of it may stand there.
      this.#mustRewrite = true;
      throw error;
    });
    this.#lineCount += 1;
    this.#addedBytes += bytes.length;
  }

  #putOff(waiting: Waiting, error: unknown): void {
    if (waiting.onDelayed === undefined) {
      waiting.written.reject(new JournalFailed(error));
      return;
    }
    this.#delayed.push(waiting);
    waiting.onDelayed();
  }

  #noteSuccess(): void {
    if (this.#isFailing) this.#options.log.info("journal can be written again");
    this.#isFailing = false;
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  #noteFailure(error: unknown): void {
    if (!this.#isFailing) this.#options.log.error({ err: error }, "journal not written; no new commands until it is");
    this.#isFailing = true;
    if (this.#isClosed) return;
    this.#retry?.cancel();
    this.#retry = this.#options.clock.after(retryMs, () => this.note());
  }
}

/**
 * Reads what an earlier run has left and makes it the beginning of a new file. A torn end is cut off; a damaged journal is set
 * aside and an empty one begun, since Parallels Desktop shows the VMs and the server repeats its commands.
 *
 * @throws JournalRefused when a newer agent wrote it, and whatever the storage's reading rejects with.
 */
export async function openJournal(storage: JournalStorage, options: JournalOptions): Promise<Journal> {
  const state = new JournalState(options.bounds ?? defaultJournalBounds);
  const bytes = await storage.read();
  if (bytes !== undefined) await restore({ bytes, storage, state, log: options.log });
  const journal = new Journal(storage, state, options);
  // A disk that is full must not keep the agent from ending VMs whose leases run out: it takes no commands until it can write.
  await journal.write().catch(() => undefined);
  return journal;
}

/** A journal that ends with the process: what the agent does not know after a restart, it finds out as after a damage. */
export function createVolatileJournal(bounds?: JournalBounds): Journal {
  return new Journal(undefined, new JournalState(bounds), { clock: systemClock, log: silentLogger });
}

function closedError(): JournalFailed {
  return new JournalFailed(new Error("the journal is closed"));
}

async function restore(found: {
  readonly bytes: Uint8Array;
  readonly storage: JournalStorage;
  readonly state: JournalState;
  readonly log: Logger;
}): Promise<void> {
  const { bytes, storage, state, log } = found;
  const decoded = decodeJournal(bytes);
  switch (decoded.kind) {
    case "newer":
      throw new JournalRefused(
        `the journal was written by a newer agent (format ${decoded.version})`,
        "Update this agent, or name another directory with --data-dir.",
      );
    case "damaged": {
      const file = await storage.setAside();
      log.error(
        { reason: decoded.reason, file },
        "journal is damaged: set aside, and begun anew from what Parallels Desktop shows; VMs have no leases until the server tells them",
      );
      return;
    }
    case "sound":
      if (decoded.tornBytes > 0) log.warn({ bytes: decoded.tornBytes }, "unfinished end of the journal cut off");
      for (const record of decoded.records) state.apply(record);
      return;
  }
}
