import assert from "node:assert/strict";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import type { StoreContents } from "../../../../server/storage/store.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { randomIds } from "../../../../shared/ids.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../../contract/store/scratch-directory.ts";
import { contentsAt } from "./writer-batches.ts";
import { WriterProcess } from "./writer-process.ts";

describe("the store on disk, when its process ends", () => {
  let scratch: ScratchDirectory;

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
  });

  afterEach(() => scratch.remove());

  it("by kill -9 under load: every acknowledged batch is there, whole, in each of ten rounds", async function () {
    this.timeout(60_000);
    let before = 0;
    for (let round = 1; round <= 10; round++) {
      const writer = new WriterProcess({ directory: scratch.path });
      await writer.waitForLines(1 + round * 37);
      await writer.kill();
      const found = await readAll(scratch.path);
      assert.ok(writer.acknowledged > before, `round ${round} wrote something`);
      // One batch more than the last acknowledged one may be durable, and none less.
      assert.ok(found.revision - writer.acknowledged <= 1 && found.revision >= writer.acknowledged);
      assert.deepEqual(found, contentsAt(found.revision));
      before = found.revision;
    }
  });

  it("for want of room: it says so, takes no more, and starts again with everything when there is room", async function () {
    this.timeout(30_000);
    const writer = new WriterProcess({ directory: scratch.path, fileBlocksMax: 4096 });
    await writer.waitForEnd();
    assert.deepEqual(writer.lines.slice(-2), ["failed full", "refused full"]);
    assert.ok(writer.acknowledged > 50, `${writer.acknowledged} batches fit`);
    const found = await readAll(scratch.path);
    assert.ok(found.revision - writer.acknowledged <= 1 && found.revision >= writer.acknowledged);
    assert.deepEqual(found, contentsAt(found.revision));
  });

  it("a second process is told who has the directory, and disturbs nothing", async function () {
    this.timeout(30_000);
    const holder = new WriterProcess({ directory: scratch.path, mode: "hold" });
    await holder.waitForLines(1);
    await assert.rejects(openLevelStore(scratch.path, sources), (error: unknown) => {
      assert.ok(error instanceof Error && "kind" in error);
      assert.equal(error.kind, "locked");
      assert.match(error.message, new RegExp(`process ${holder.pid} `));
      return true;
    });
    await holder.kill();
    assert.equal((await readAll(scratch.path)).revision, 0);
  });

  it("a second store in the same process is refused as well", async () => {
    const store = await openLevelStore(scratch.path, sources);
    await assert.rejects(openLevelStore(scratch.path, sources), { kind: "locked" });
    await store.load();
    await store.close();
  });
});

const sources = { ids: randomIds, clock: systemClock };

async function readAll(directory: string): Promise<StoreContents> {
  const store = await openLevelStore(directory, sources);
  try {
    return await store.load();
  } finally {
    await store.close();
  }
}
