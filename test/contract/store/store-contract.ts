/** What every store promises, whatever is below it. An implementation runs this suite with a harness of its own. */
import assert from "node:assert/strict";
import { type Store, type StoreBatch, type StoreEntry, StoreError } from "../../../server/storage/store.ts";
import { AssertionFailed } from "../../../shared/assert.ts";

/** One place where something is stored, empty at first. */
export interface StoreHarness {
  /** A store on that place; a second call, after the first store was closed, is a restart. */
  open(): Promise<Store>;
  /** Clears the place away. */
  destroy(): Promise<void>;
}

export function describeStoreContract(name: string, factory: () => Promise<StoreHarness>): void {
  describe(`the store's contract: ${name}`, () => {
    let harness: StoreHarness;
    let store: Store;

    beforeEach(async () => {
      harness = await factory();
      store = await harness.open();
    });

    afterEach(async () => {
      await store.close();
      await harness.destroy();
    });

    async function restart(): Promise<Awaited<ReturnType<Store["load"]>>> {
      await store.close();
      store = await harness.open();
      return await store.load();
    }

    it("a new store is empty and at revision 0", async () => {
      assert.deepEqual(await store.load(), { revision: 0, entries: [] });
    });

    it("what was committed is there after a restart, sorted by key", async () => {
      await store.load();
      await store.commit(batch(1, { "vm/b": "2", "host/z": "1", "vm/a": "ü€😀" }));
      assert.deepEqual(await restart(), {
        revision: 1,
        entries: entries({ "host/z": "1", "vm/a": "ü€😀", "vm/b": "2" }),
      });
    });

    it("a put replaces, a delete removes, and deleting what is not there is no error", async () => {
      await store.load();
      await store.commit(batch(1, { "vm/a": "1", "vm/b": "1" }));
      await store.commit(batch(2, { "vm/a": "2" }, ["vm/b", "vm/never"]));
      assert.deepEqual(await restart(), { revision: 2, entries: entries({ "vm/a": "2" }) });
    });

    it("an empty batch counts as a revision", async () => {
      await store.load();
      await store.commit(batch(1, {}));
      assert.deepEqual(await restart(), { revision: 1, entries: [] });
    });

    it("goes on with the next revision after a restart", async () => {
      await store.load();
      await store.commit(batch(1, { "vm/a": "1" }));
      await restart();
      await store.commit(batch(2, { "vm/b": "1" }));
      assert.deepEqual(await restart(), { revision: 2, entries: entries({ "vm/a": "1", "vm/b": "1" }) });
    });

    it("keeps a batch of a thousand records and one of a megabyte", async () => {
      await store.load();
      const many = Object.fromEntries(
        Array.from({ length: 1000 }, (_, i) => [`vm/${String(i).padStart(4, "0")}`, "x"]),
      );
      await store.commit(batch(1, many));
      await store.commit(batch(2, { "vm/large": "x".repeat(1024 * 1024) }));
      const { entries: found } = await restart();
      assert.equal(found.length, 1001);
      assert.equal(found.at(-1)?.value.length, 1024 * 1024);
    });

    it("a batch with another revision than the next is an assertion and changes nothing", async () => {
      await store.load();
      await store.commit(batch(1, { "vm/a": "1" }));
      await assert.rejects(store.commit(batch(1, { "vm/b": "1" })), AssertionFailed);
      await assert.rejects(store.commit(batch(3, { "vm/b": "1" })), AssertionFailed);
      await store.commit(batch(2, { "vm/c": "1" }));
      assert.deepEqual(await restart(), { revision: 2, entries: entries({ "vm/a": "1", "vm/c": "1" }) });
    });

    it("a second commit while one is under way is an assertion", async () => {
      await store.load();
      const first = store.commit(batch(1, { "vm/a": "1" }));
      await assert.rejects(store.commit(batch(2, { "vm/b": "1" })), AssertionFailed);
      await first;
      assert.equal((await restart()).revision, 1);
    });

    it("a commit before the load, and a second load, are assertions", async () => {
      await assert.rejects(store.commit(batch(1, {})), AssertionFailed);
      await store.load();
      await assert.rejects(store.load(), AssertionFailed);
    });

    it("a snapshot stays as it was while commits go on", async () => {
      await store.load();
      await store.commit(batch(1, { "vm/a": "1", "vm/b": "1" }));
      const snapshot = await store.snapshot();
      await store.commit(batch(2, { "vm/a": "2", "vm/c": "2" }, ["vm/b"]));
      assert.equal(snapshot.revision, 1);
      const expected = entries({ "vm/a": "1", "vm/b": "1" });
      assert.deepEqual(await collect(snapshot.entries()), expected);
      assert.deepEqual(await collect(snapshot.entries()), expected, "and can be read again");
      await snapshot.close();
      await snapshot.close();
    });

    it("a snapshot taken during a commit is of one revision, before it or after it", async () => {
      await store.load();
      await store.commit(batch(1, { "vm/a": "1", "vm/b": "1" }));
      const under = store.commit(batch(2, { "vm/a": "2", "vm/b": "2" }));
      const snapshot = await store.snapshot();
      await under;
      const value = String(snapshot.revision);
      assert.deepEqual(await collect(snapshot.entries()), entries({ "vm/a": value, "vm/b": value }));
      await snapshot.close();
    });

    it("closing finishes the commit under way, and closing twice is harmless", async () => {
      await store.load();
      const under = store.commit(batch(1, { "vm/a": "1" }));
      await store.close();
      await under;
      await store.close();
      assert.equal((await restart()).revision, 1);
    });

    it("a closed store rejects every call", async () => {
      await store.load();
      await store.close();
      await assert.rejects(store.commit(batch(1, {})), StoreError);
      await assert.rejects(store.load(), StoreError);
      await assert.rejects(store.snapshot(), StoreError);
    });
  });
}

export function batch(revision: number, puts: Record<string, string>, deletes: readonly string[] = []): StoreBatch {
  return { revision, puts: entries(puts), deletes };
}

export function entries(records: Record<string, string>): readonly StoreEntry[] {
  return Object.entries(records).map(([key, value]) => ({ key, value }));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
