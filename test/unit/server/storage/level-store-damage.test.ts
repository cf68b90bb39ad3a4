import assert from "node:assert/strict";
import { cp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import type { StoreErrorKind } from "../../../../server/storage/store.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../../contract/store/scratch-directory.ts";
import { batch } from "../../../contract/store/store-contract.ts";
import { databaseFile, readStored, storeSources, storeUpTo } from "./stored-pool.ts";
import { contentsAt } from "./writer-batches.ts";

const lastRevision = 60;

interface Damage {
  readonly name: string;
  readonly inflict: (directory: string) => Promise<void>;
  /** "damaged" if not said otherwise. */
  readonly kind?: StoreErrorKind;
}

const damages: readonly Damage[] = [
  { name: "its log was cut by a few bytes", inflict: (directory) => cut(directory, "log", (bytes) => bytes - 37) },
  { name: "its log was cut in half", inflict: (directory) => cut(directory, "log", (bytes) => bytes >> 1) },
  { name: "its log was emptied", inflict: (directory) => cut(directory, "log", () => 0) },
  { name: "its log was deleted", inflict: async (directory) => rm(await databaseFile(directory, "log")) },
  { name: "bytes in the middle of its log were altered", inflict: (directory) => alter(directory, "log", 0.5) },
  { name: "bytes at the beginning of its log were altered", inflict: (directory) => alter(directory, "log", 0.01) },
  { name: "bytes at the end of its log were altered", inflict: (directory) => alter(directory, "log", 0.99) },
  { name: "bytes in a table were altered", inflict: (directory) => alter(directory, "ldb", 0.3) },
  { name: "a table was deleted", inflict: async (directory) => rm(await databaseFile(directory, "ldb")) },
  { name: "CURRENT was deleted", inflict: (directory) => rm(join(directory, "database", "CURRENT")) },
  { name: "CURRENT was emptied", inflict: (directory) => truncate(join(directory, "database", "CURRENT")) },
  { name: "the manifest was deleted", inflict: async (directory) => rm(await databaseFile(directory, "MANIFEST")) },
  { name: "the manifest was cut", inflict: (directory) => cut(directory, "MANIFEST", (bytes) => bytes - 7) },
  { name: "the manifest was emptied", inflict: (directory) => cut(directory, "MANIFEST", () => 0) },
  { name: "the manifest was altered", inflict: (directory) => alter(directory, "MANIFEST", 0.5) },
  { name: "the database was deleted", inflict: (directory) => rm(join(directory, "database"), { recursive: true }) },
  { name: "the marker was deleted", inflict: (directory) => rm(join(directory, "meridian.json")) },
  { name: "the marker was emptied", inflict: (directory) => truncate(join(directory, "meridian.json")) },
  { name: "an older copy of the database was put in its place", inflict: putOlderDatabase },
  { name: "another pool's database was put in its place", inflict: putOtherDatabase, kind: "foreign" },
  {
    name: "a marker of a new directory was put beside it",
    inflict: (directory) => edit(directory, '"ready"', '"creating"'),
  },
  {
    name: "a newer Meridian wrote it",
    inflict: (directory) => edit(directory, '"layout": 1', '"layout": 2'),
    kind: "newer",
  },
];

describe("a data directory is refused, start after start, when", () => {
  let scratch: ScratchDirectory;
  let directory: string;

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
    directory = join(scratch.path, "pool");
    await storeUpTo(directory, lastRevision / 2);
    await storeUpTo(directory, lastRevision);
  });

  afterEach(() => scratch.remove());

  for (const { name, inflict, kind = "damaged" } of damages) {
    it(name, async () => {
      await inflict(directory);
      await assert.rejects(readStored(directory), { name: "StoreError", kind });
      await assert.rejects(readStored(directory), { name: "StoreError", kind });
    });
  }
});

describe("a data directory", () => {
  let scratch: ScratchDirectory;
  let directory: string;
  let olderNote: string;

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
    directory = join(scratch.path, "pool");
    await storeUpTo(directory, lastRevision / 2);
    olderNote = await readFile(join(directory, "acknowledged"), "latin1");
    await storeUpTo(directory, lastRevision);
  });

  afterEach(() => scratch.remove());

  it("that is damaged keeps its files as they were before the first refused start", async () => {
    await alter(directory, "log", 0.5);
    const log = await databaseFile(directory, "log");
    const altered = await readFile(log);
    await assert.rejects(readStored(directory), /database-before/);
    await assert.rejects(readStored(directory), /database-before/);
    assert.deepEqual(await readFile(join(directory, "database-before", basename(log))), altered);
  });

  it("that is whole keeps no second copy of its files", async () => {
    await readStored(directory);
    await assert.rejects(stat(join(directory, "database-before")), { code: "ENOENT" });
  });

  it("names what it lost, and goes on without it when the note of the acknowledged revision is deleted", async () => {
    await cut(directory, "log", (bytes) => bytes - 37);
    await assert.rejects(readStored(directory), /revision 60 was acknowledged, and the database ends with 59/);
    await rm(join(directory, "acknowledged"));
    assert.deepEqual(await readStored(directory), contentsAt(lastRevision - 1));
  });

  it("with the beginning of a batch that was never acknowledged at the end of its log is whole", async () => {
    const log = await databaseFile(directory, "log");
    const bytes = await readFile(log);
    // The header of a record of LevelDB's log, which promises more bytes than a crash let follow.
    await writeFile(
      log,
      Buffer.concat([bytes, bytes.subarray(0, 5), Buffer.from([0xff, 0x7f, 0x01]), bytes.subarray(8, 90)]),
    );
    assert.deepEqual(await readStored(directory), contentsAt(lastRevision));
  });

  for (const [name, note] of [
    ["is behind, as after a power cut,", (_now: string, older: string) => older],
    ["is torn in one slot", (text: string) => text.replace(/^0/, "x")],
    ["is unreadable", () => "?".repeat(5000)],
    ["is empty", () => ""],
  ] as const) {
    it(`whose note of the acknowledged revision ${name} is whole, and is guarded again afterwards`, async () => {
      const path = join(directory, "acknowledged");
      await writeFile(path, note(await readFile(path, "latin1"), olderNote), "latin1");
      assert.deepEqual(await readStored(directory), contentsAt(lastRevision));
      await storeUpTo(directory, lastRevision + 1);
      await cut(directory, "log", () => 0);
      await assert.rejects(readStored(directory), { kind: "damaged" });
    });
  }

  it("shows damage to a reader of a snapshot too", async () => {
    const store = await openLevelStore(directory, storeSources);
    await store.load();
    await store.commit(batch(lastRevision + 1, { "vm/new": "1" }));
    const table = await databaseFile(directory, "ldb");
    const bytes = await readFile(table);
    await writeFile(table, bytes.fill(0x55, bytes.length >> 2, bytes.length >> 1));
    const snapshot = await store.snapshot();
    const reading = async (): Promise<void> => {
      for await (const entry of snapshot.entries()) assert.ok(entry.key);
    };
    await assert.rejects(reading(), { kind: "damaged" });
    await snapshot.close();
    await store.close();
  });
});

async function cut(directory: string, form: "log" | "MANIFEST", lengthOf: (bytes: number) => number): Promise<void> {
  const path = await databaseFile(directory, form);
  await truncate(path, lengthOf((await stat(path)).size));
}

/** Alters 64 bytes, or as many as there are, at this part of the file. */
async function alter(directory: string, form: "log" | "ldb" | "MANIFEST", at: number): Promise<void> {
  const path = await databaseFile(directory, form);
  const bytes = await readFile(path);
  const start = Math.floor(bytes.length * at);
  for (let i = start; i < Math.min(start + 64, bytes.length); i++) bytes.writeUInt8(bytes.readUInt8(i) ^ 0x5a, i);
  await writeFile(path, bytes);
}

async function edit(directory: string, from: string, to: string): Promise<void> {
  const path = join(directory, "meridian.json");
  const text = await readFile(path, "utf8");
  assert.ok(text.includes(from));
  await writeFile(path, text.replace(from, to));
}

async function putOlderDatabase(directory: string): Promise<void> {
  const copy = `${directory}-older`;
  await cp(join(directory, "database"), copy, { recursive: true });
  await storeUpTo(directory, lastRevision + 3);
  await rm(join(directory, "database"), { recursive: true });
  await cp(copy, join(directory, "database"), { recursive: true });
}

async function putOtherDatabase(directory: string): Promise<void> {
  await storeUpTo(`${directory}-other`, lastRevision);
  await rm(join(directory, "database"), { recursive: true });
  await cp(join(`${directory}-other`, "database"), join(directory, "database"), { recursive: true });
}
