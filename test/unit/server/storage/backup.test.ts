import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeBackup } from "../../../../server/storage/backup.ts";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import { MemoryDisk, MemoryStore } from "../../../../server/storage/memory-store.ts";
import { restoreBackup, restoreStep } from "../../../../server/storage/restore.ts";
import type { StoreEntry } from "../../../../server/storage/store.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { asUid, randomIds } from "../../../../shared/ids.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../../contract/store/scratch-directory.ts";
import { batch, collect } from "../../../contract/store/store-contract.ts";

const clock = systemClock;
const poolUid = asUid("0123456789abcdef".repeat(2));
const recordCount = 2500;
const renew = (entry: StoreEntry): StoreEntry => entry;

describe("a backup", () => {
  let scratch: ScratchDirectory;
  let directory: string;
  let bytes: Buffer;
  let disk: MemoryDisk;

  before(async () => {
    disk = new MemoryDisk();
    const store = new MemoryStore(disk);
    await store.load();
    const records = Array.from({ length: recordCount }, (_, i): [string, string] => [
      `vm/${i}`,
      `{"line":"${i}\\n\u2028ü"}`,
    ]);
    await store.commit(batch(1, Object.fromEntries(records)));
    const snapshot = await store.snapshot();
    await store.commit(batch(2, { "vm/late": "1" }, ["vm/0"]));
    bytes = Buffer.concat(await collect(encodeBackup(snapshot, { poolUid, createTime: "2026-11-22T16:00:00Z" })));
  });

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
    directory = join(scratch.path, "restored");
  });

  afterEach(() => scratch.remove());

  it("brings back the pool and every record as of its snapshot, at a revision that the pool cannot have reached", async () => {
    const summary = await restoreBackup(inChunks(bytes, 1000), { directory, clock, renew });
    const header = { poolUid, revision: 1, createTime: "2026-11-22T16:00:00Z" };
    assert.deepEqual(summary, { backup: header, records: recordCount, revision: 1 + restoreStep });
    const store = await openLevelStore(directory, { ids: randomIds, clock });
    const contents = await store.load();
    assert.equal(store.poolUid, poolUid);
    assert.equal(contents.revision, 1 + restoreStep);
    assert.equal(contents.entries.length, recordCount);
    assert.equal(contents.entries.find(({ key }) => key === "vm/77")?.value, `{"line":"77\\n\u2028ü"}`);
    await store.commit(batch(2 + restoreStep, { "vm/new": "1" }));
    await store.close();
  });

  it("is restored with every record as its owner renews it, and verifies as such", async () => {
    const raise = ({ key }: StoreEntry, step: number): StoreEntry => ({ key, value: `${step}` });
    await restoreBackup(inChunks(bytes, 1000), { directory, clock, renew: raise });
    const store = await openLevelStore(directory, { ids: randomIds, clock });
    const { entries } = await store.load();
    assert.ok(entries.every(({ value }) => value === `${restoreStep}`));
    await store.close();
  });

  it("of the store on disk can be taken while commits go on", async () => {
    const store = await openLevelStore(directory, { ids: randomIds, clock });
    await store.load();
    await store.commit(batch(1, { "vm/a": "1" }));
    const snapshot = await store.snapshot();
    const backup = encodeBackup(snapshot, { poolUid: store.poolUid, createTime: "2026-11-22T16:00:00Z" });
    const first = await backup.next();
    await store.commit(batch(2, { "vm/a": "2" }));
    const chunks = [first.done === true ? Buffer.alloc(0) : first.value, ...(await collect(backup))];
    await snapshot.close();
    await store.close();
    const copy = join(scratch.path, "copy");
    await restoreBackup(inChunks(Buffer.concat(chunks), 7), { directory: copy, clock, renew });
    const restored = await openLevelStore(copy, { ids: randomIds, clock });
    assert.deepEqual(await restored.load(), { revision: 1 + restoreStep, entries: [{ key: "vm/a", value: "1" }] });
    await restored.close();
  });

  it("that is cut anywhere is refused, and the directory stays empty", async () => {
    const lastLine = bytes.lastIndexOf("\n", -2) + 1;
    for (const length of [0, 10, 100, bytes.length >> 1, lastLine - 1, lastLine, lastLine + 5, bytes.length - 1]) {
      await assertRefused(bytes.subarray(0, length));
    }
  });

  it("that is altered anywhere is refused, and the directory stays empty", async () => {
    for (const offset of [60, 500, bytes.length >> 1, bytes.length - 90, bytes.length - 5]) {
      const altered = Buffer.from(bytes);
      altered[offset] = bytes[offset] === 0x31 ? 0x32 : 0x31;
      await assertRefused(altered);
    }
  });

  it("without one of its lines, or with something after its end, is refused", async () => {
    const lines = bytes.toString("utf8").split("\n");
    await assertRefused(Buffer.from(lines.toSpliced(7, 1).join("\n")));
    await assertRefused(Buffer.concat([bytes, Buffer.from("x")]));
    await assertRefused(Buffer.concat([bytes, bytes]));
  });

  it("of a newer format, and what is no backup at all, is refused as that", async () => {
    const newer = bytes.toString("utf8").replace('"meridian_backup":1', '"meridian_backup":2');
    await assertRefused(Buffer.from(newer), "newer");
    await assertRefused(Buffer.from("hello\nworld\n"), "foreign");
  });

  it("is restored into an empty directory only", async () => {
    await mkdir(directory);
    await writeFile(join(directory, "letter.txt"), "mine");
    await assert.rejects(restoreBackup(inChunks(bytes, 1000), { directory, clock, renew }), { kind: "foreign" });
    assert.deepEqual(await readdir(directory), ["letter.txt"]);
    const used = join(scratch.path, "used");
    await (await openLevelStore(used, { ids: randomIds, clock })).close();
    await assert.rejects(restoreBackup(inChunks(bytes, 1000), { directory: used, clock, renew }), { kind: "foreign" });
    const store = await openLevelStore(used, { ids: randomIds, clock });
    assert.equal((await store.load()).revision, 0);
    await store.close();
  });

  async function assertRefused(altered: Buffer, kind = "damaged"): Promise<void> {
    const restoring = restoreBackup(inChunks(altered, 1000), { directory, clock, renew });
    await assert.rejects(restoring, { name: "StoreError", kind });
    assert.deepEqual(await readdir(directory).catch(() => []), []);
  }
});

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}
