import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { exitCodes } from "../../../cli/exit-codes.ts";
import { encodeBackup } from "../../../server/storage/backup.ts";
import { MemoryDisk, MemoryStore } from "../../../server/storage/memory-store.ts";
import { asUid } from "../../../shared/ids.ts";
import { batch, collect } from "../../contract/store/store-contract.ts";
import { runAgainst } from "../../support/cli/meridian.ts";

describe("meridian pool backup", () => {
  let directory: string;
  let chunks: readonly Uint8Array[];

  before(async () => {
    const store = new MemoryStore(new MemoryDisk());
    await store.load();
    await store.commit(batch(1, { "template/a": "1", "template/b": "2" }));
    const about = { poolUid: asUid("cd".repeat(16)), createTime: "2026-11-22T16:00:00Z" };
    chunks = await collect(encodeBackup(await store.snapshot(), about));
    await store.close();
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "meridian-backup-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const backUp = (answers: readonly Uint8Array[], args: readonly string[] = [], failure?: Error) =>
    runAgainst(
      {
        pool: {
          async *backup() {
            for (const chunk of answers) yield { chunk };
            if (failure !== undefined) throw failure;
          },
        },
      },
      ["pool", "backup", "--output", join(directory, "b"), ...args],
    );

  it("writes the file for its owner alone, replaces an older one, and says what is in it", async () => {
    await writeFile(join(directory, "b"), "older");
    const { exitCode, out } = await backUp(chunks);
    assert.equal(exitCode, 0);
    assert.match(out, /b: revision 1, 2 records, \d+ B\n$/);
    assert.deepEqual(await readFile(join(directory, "b")), Buffer.concat(chunks));
    assert.equal((await stat(join(directory, "b"))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory), ["b"]);
  });

  it("prints the same for programs", async () => {
    const { out } = await backUp(chunks, ["--json"]);
    assert.deepEqual(JSON.parse(out), {
      file: join(directory, "b"),
      revision: 1,
      records: 2,
      sizeBytes: Buffer.concat(chunks).length,
      createTime: "2026-11-22T16:00:00Z",
      poolUid: "cd".repeat(16),
    });
  });

  it("leaves an older file as it was, and nothing else, when the backup breaks off or is not whole", async () => {
    await writeFile(join(directory, "b"), "older");
    const half = Buffer.concat(chunks).subarray(0, 100);
    const broken = await backUp([half], [], new ConnectError("gone"));
    const cut = await backUp([half]);
    assert.equal(broken.exitCode, exitCodes.unavailable);
    assert.equal(cut.exitCode, exitCodes.failed);
    assert.match(cut.err, /damaged/);
    assert.equal(await readFile(join(directory, "b"), "utf8"), "older");
    assert.deepEqual(await readdir(directory), ["b"]);
  });

  it("says what is wrong with the path", async () => {
    directory = join(directory, "absent");
    const { exitCode, err } = await backUp(chunks);
    assert.equal(exitCode, exitCodes.failed);
    assert.match(err, /^meridian: the backup cannot be written: ENOENT/);
  });
});
