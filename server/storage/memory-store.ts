/**
 * A store in memory, for tests, the simulation and trials that need no disk. It keeps the same promises as the one on disk
 * (the same contract suite runs on both), with a `MemoryDisk` in the place of the directory: what was committed there is
 * found by the next store that is opened on it. Faults are hooks around the moment at which a batch becomes durable.
 */
import { assert } from "../../shared/assert.ts";
import { CommitGate } from "./commit-gate.ts";
import type { Store, StoreBatch, StoreContents, StoreEntry, StoreSnapshot } from "./store.ts";

/** What survives the process: give the same one to the next `MemoryStore` to see what a restart would find. */
export class MemoryDisk {
  #revision: number;
  readonly #records: Map<string, string>;

  /** @param contents what is on it at first. Default: nothing. */
  constructor(contents: StoreContents = { revision: 0, entries: [] }) {
    this.#revision = contents.revision;
    this.#records = new Map(contents.entries.map(({ key, value }) => [key, value]));
  }

  /** Everything durable at this moment, sorted by key. */
  contents(): StoreContents {
    const entries = Array.from(this.#records, ([key, value]): StoreEntry => ({ key, value }));
    return { revision: this.#revision, entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)) };
  }

  /** Makes a batch durable, at once and as a whole. */
  write(batch: StoreBatch): void {
    assert(batch.revision === this.#revision + 1, `batch ${batch.revision} follows revision ${this.#revision}`);
    for (const { key, value } of batch.puts) this.#records.set(key, value);
    for (const key of batch.deletes) this.#records.delete(key);
    this.#revision = batch.revision;
  }
}

/**
 * What can go wrong with a commit. Each hook may wait (a slow disk; nothing else is committed meanwhile) or reject (the
 * commit fails, and with it every later one); reject with a `StoreError` to choose its kind, such as "full".
 */
export interface MemoryStoreFaults {
  /** Runs before the batch is durable: when it rejects, a restart does not find the batch. */
  readonly beforeDurable?: (batch: StoreBatch) => Promise<void>;
  /** Runs when the batch is durable but not acknowledged: when it rejects, a restart finds the batch all the same. */
  readonly afterDurable?: (batch: StoreBatch) => Promise<void>;
}

export class MemoryStore implements Store {
  /** May be exchanged at any time; the next commit goes by it. */
  faults: MemoryStoreFaults = {};
  readonly #disk: MemoryDisk;
  readonly #gate = new CommitGate();

  constructor(disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk;
  }

  async load(): Promise<StoreContents> {
    this.#gate.enterLoad();
    const contents = this.#disk.contents();
    this.#gate.loaded(contents.revision);
    return contents;
  }

  commit(batch: StoreBatch): Promise<void> {
    return this.#gate.commit(batch, async () => {
      await this.faults.beforeDurable?.(batch);
      this.#disk.write(batch);
      await this.faults.afterDurable?.(batch);
    });
  }

  async snapshot(): Promise<StoreSnapshot> {
    this.#gate.enterRead();
    return memorySnapshot(this.#disk.contents());
  }

  close(): Promise<void> {
    return this.#gate.close();
  }
}

function memorySnapshot(contents: StoreContents): StoreSnapshot {
  return {
    revision: contents.revision,
    async *entries() {
      yield* contents.entries;
    },
    async close() {},
  };
}
