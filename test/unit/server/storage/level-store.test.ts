import assert from "node:assert/strict";
import { join } from "node:path";
import { Level } from "level";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../../contract/store/scratch-directory.ts";
import { batch, entries } from "../../../contract/store/store-contract.ts";
import { readStored, storeSources, storeUpTo } from "./stored-pool.ts";
import { contentsAt } from "./writer-batches.ts";

describe("the store on disk", () => {
  let scratch: ScratchDirectory;

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
  });

  afterEach(() => scratch.remove());

  it("ends although a snapshot was left open, whose reader gets an error", async () => {
    await storeUpTo(scratch.path, 3);
    const store = await openLevelStore(scratch.path, storeSources);
    await store.load();
    const snapshot = await store.snapshot();
    await store.close();
    const reading = snapshot.entries()[Symbol.asyncIterator]();
    await assert.rejects(reading.next(), { name: "StoreError", kind: "failed" });
    await snapshot.close();
  });

  it("takes text that UTF-8 cannot hold, replaced as it is written, for no damage", async () => {
    const store = await openLevelStore(scratch.path, storeSources);
    await store.load();
    await store.commit(batch(1, { "vm/a": "half a pair: \ud800" }));
    await store.close();
    assert.deepEqual((await readStored(scratch.path)).entries, entries({ "vm/a": "half a pair: \ufffd" }));
  });

  it("refuses a record that came into the database past the store", async () => {
    await storeUpTo(scratch.path, 3);
    const database = new Level(join(scratch.path, "database"));
    await database.put("vm/forged", "x");
    await database.close();
    await assert.rejects(readStored(scratch.path), { kind: "damaged", message: /16 records where revision 3 had 15/ });
  });

  it("lets two first starts at once agree: one has the directory, the other is refused", async () => {
    const opened = await Promise.allSettled([
      openLevelStore(scratch.path, storeSources),
      openLevelStore(scratch.path, storeSources),
    ]);
    const stores = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const refusals = opened.flatMap((result): unknown[] => (result.status === "rejected" ? [result.reason] : []));
    assert.equal(stores.length, 1);
    assert.deepEqual(
      refusals.map((error) => error instanceof Error && "kind" in error && error.kind),
      ["locked"],
    );
    for (const store of stores) await store.close();
    await storeUpTo(scratch.path, 3);
    assert.deepEqual(await readStored(scratch.path), contentsAt(3));
  });
});
