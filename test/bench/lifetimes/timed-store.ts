import type { Store, StoreBatch, StoreContents, StoreSnapshot } from "../../../server/storage/store.ts";
import { momentMs } from "../moment.ts";

/** A store that notes how long each commit took and how much it was handed. */
export class TimedStore implements Store {
  /** In ms, one for each commit since `reset`. */
  commitTimesMs: number[] = [];
  /** Of keys and values since `reset`. */
  handedBytes = 0;
  /** What the last `load` found: the records that are live. */
  loaded = { count: 0, bytes: 0 };
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  reset(): void {
    this.commitTimesMs = [];
    this.handedBytes = 0;
  }

  async load(): Promise<StoreContents> {
    const contents = await this.store.load();
    const bytes = contents.entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    this.loaded = { count: contents.entries.length, bytes };
    return contents;
  }

  async commit(batch: StoreBatch): Promise<void> {
    const startMs = momentMs();
    await this.store.commit(batch);
    this.commitTimesMs.push(momentMs() - startMs);
    for (const { key, value } of batch.puts) this.handedBytes += key.length + value.length;
    for (const key of batch.deletes) this.handedBytes += key.length;
  }

  snapshot(): Promise<StoreSnapshot> {
    return this.store.snapshot();
  }

  close(): Promise<void> {
    return this.store.close();
  }
}
