import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../../contract/store/scratch-directory.ts";
import { databaseFile, readStored, storeSources, storeUpTo } from "./stored-pool.ts";
import { contentsAt } from "./writer-batches.ts";

describe("a directory", () => {
  let scratch: ScratchDirectory;
  let directory: string;

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
    directory = join(scratch.path, "some", "where", "pool");
  });

  afterEach(() => scratch.remove());

  it("that is absent becomes a data directory, with its parents and a pool of its own", async () => {
    const first = await openLevelStore(directory, storeSources);
    const { poolUid } = first;
    await first.close();
    const second = await openLevelStore(directory, storeSources);
    assert.equal(second.poolUid, poolUid);
    await second.close();
    const other = await openLevelStore(join(scratch.path, "other"), storeSources);
    assert.notEqual(other.poolUid, poolUid);
    await other.close();
  });

  it("that is empty, but for what file systems and desktops put there, becomes one", async () => {
    await mkdir(join(directory, "lost+found"), { recursive: true });
    await writeFile(join(directory, ".DS_Store"), "");
    assert.deepEqual(await readStored(directory), { revision: 0, entries: [] });
  });

  it("that holds something else is refused and left as it is", async () => {
    await mkdir(join(directory, "photos"), { recursive: true });
    await writeFile(join(directory, "letter.txt"), "mine");
    await assert.rejects(openLevelStore(directory, storeSources), {
      kind: "foreign",
      message: /letter\.txt" and 1 more/,
    });
    assert.deepEqual((await readdir(directory)).sort(), ["letter.txt", "photos"]);
  });

  it("that is a file is refused and left as it is", async () => {
    const path = join(scratch.path, "file");
    await writeFile(path, "mine");
    await assert.rejects(openLevelStore(path, storeSources), { kind: "foreign" });
    assert.equal(await readFile(path, "utf8"), "mine");
  });

  it("below a file cannot be made, and the error says so", async () => {
    await writeFile(join(scratch.path, "file"), "");
    await assert.rejects(openLevelStore(join(scratch.path, "file", "pool"), storeSources), { name: "StoreError" });
  });

  it("in use may hold other files beside ours", async () => {
    await storeUpTo(directory, 3);
    await writeFile(join(directory, "notes.txt"), "mine");
    assert.deepEqual(await readStored(directory), contentsAt(3));
  });

  it("that a restore did not finish is refused", async () => {
    await storeUpTo(directory, 3);
    await setState(directory, "restoring");
    await assert.rejects(openLevelStore(directory, storeSources), { kind: "damaged", message: /unfinished restore/ });
  });
});

describe("a first start that was interrupted is finished by the next", () => {
  let scratch: ScratchDirectory;
  let directory: string;
  let poolUid: string;

  /** A directory whose first start was over but for the last step. */
  beforeEach(async () => {
    scratch = await makeScratchDirectory();
    directory = join(scratch.path, "pool");
    const store = await openLevelStore(directory, storeSources);
    poolUid = store.poolUid;
    await store.close();
    await setState(directory, "creating");
  });

  afterEach(() => scratch.remove());

  for (const [moment, rewind] of [
    ["before the marker had its name", beforeMarker],
    ["before the database was made", withoutDatabase],
    ["before the database had its CURRENT", async () => rm(join(directory, "database", "CURRENT"))],
    ["before the database's manifest was on the disk", async () => truncate(await databaseFile(directory, "MANIFEST"))],
    ["before its first commit record was on the disk", async () => truncate(await databaseFile(directory, "log"))],
    ["before the note of the acknowledged revision", async () => rm(join(directory, "acknowledged"))],
    ["before the marker said that it is ready", async () => {}],
  ] as const) {
    it(moment, async () => {
      await rewind();
      const store = await openLevelStore(directory, storeSources);
      assert.deepEqual(await store.load(), { revision: 0, entries: [] });
      assert.equal(store.poolUid === poolUid, moment !== "before the marker had its name", "the pool stays the same");
      await store.close();
      await storeUpTo(directory, 3);
      assert.deepEqual(await readStored(directory), contentsAt(3));
    });
  }

  async function beforeMarker(): Promise<void> {
    for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
    await mkdir(join(directory, "meridian.json.unfinished-a1b2c3"));
    await writeFile(join(directory, "meridian.json.unfinished-a1b2c3", "file"), "{");
  }

  async function withoutDatabase(): Promise<void> {
    for (const name of ["database", "acknowledged", "owner.json"]) {
      await rm(join(directory, name), { recursive: true });
    }
  }
});

async function setState(directory: string, state: "creating" | "restoring"): Promise<void> {
  const path = join(directory, "meridian.json");
  const text = await readFile(path, "utf8");
  assert.ok(text.includes('"ready"'));
  await writeFile(path, text.replace('"ready"', `"${state}"`));
}
