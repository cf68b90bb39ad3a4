import assert from "node:assert/strict";
import { MemoryDisk, MemoryStore } from "../../../../server/storage/memory-store.ts";
import { StoreError } from "../../../../server/storage/store.ts";
import { batch } from "../../../contract/store/store-contract.ts";

describe("the store in memory", () => {
  it("a commit that fails before it is durable leaves nothing, and no later commit is taken", async () => {
    const disk = new MemoryDisk();
    const store = new MemoryStore(disk);
    await store.load();
    store.faults = { beforeDurable: () => Promise.reject(new StoreError("full", "no room")) };
    await assert.rejects(store.commit(batch(1, { "vm/a": "1" })), { name: "StoreError", kind: "full" });
    store.faults = {};
    await assert.rejects(store.commit(batch(1, { "vm/a": "1" })), { name: "StoreError", kind: "full" });
    assert.deepEqual(disk.contents(), { revision: 0, entries: [] });
  });

  it("a commit that fails after it is durable is found by a restart", async () => {
    const disk = new MemoryDisk();
    const store = new MemoryStore(disk);
    await store.load();
    store.faults = { afterDurable: () => Promise.reject(new Error("the machine stopped")) };
    await assert.rejects(store.commit(batch(1, { "vm/a": "1" })), { name: "StoreError", kind: "failed" });
    assert.equal((await new MemoryStore(disk).load()).revision, 1);
  });

  it("a slow commit is neither acknowledged nor durable until the hook lets it go", async () => {
    const disk = new MemoryDisk();
    const store = new MemoryStore(disk);
    await store.load();
    const held = Promise.withResolvers<void>();
    store.faults = { beforeDurable: () => held.promise };
    const commit = store.commit(batch(1, { "vm/a": "1" }));
    assert.equal(disk.contents().revision, 0);
    held.resolve();
    await commit;
    assert.equal(disk.contents().revision, 1);
  });
});
