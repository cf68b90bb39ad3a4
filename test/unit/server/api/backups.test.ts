import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Backups } from "../../../../server/api/backups.ts";
import { backupStallMaxMs } from "../../../../server/api/limits.ts";
import { decodeBackup } from "../../../../server/storage/backup.ts";
import { MemoryDisk, MemoryStore } from "../../../../server/storage/memory-store.ts";
import type { StoreSnapshot } from "../../../../server/storage/store.ts";
import { BackupResponseSchema, PoolService } from "../../../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { asUid } from "../../../../shared/ids.ts";
import { batch, collect } from "../../../contract/store/store-contract.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { fronts, ServedApi, servedPoolUid } from "../../../support/server/served-api.ts";

const signal = new AbortController().signal;

describe("backups", () => {
  let store: MemoryStore;
  let clock: FakeClock;
  let backups: Backups;
  let openSnapshots: number;

  beforeEach(async () => {
    store = new MemoryStore(new MemoryDisk());
    await store.load();
    // Several chunks.
    const records = Array.from({ length: 500 }, (_, i): [string, string] => [`vm/${i}`, "x".repeat(1000)]);
    await store.commit(batch(1, Object.fromEntries(records)));
    clock = new FakeClock();
    openSnapshots = 0;
    backups = new Backups({ store: { snapshot: countedSnapshot }, poolUid: asUid("ab".repeat(16)), clock });
  });

  afterEach(() => store.close());

  it("hold every record, and leave no snapshot open", async () => {
    const { header, entries } = await decodeBackup(bytesOf(await collect(backups.write(signal))));
    assert.equal(header.revision, 1);
    assert.equal((await collect(entries)).flat().length, 500);
    assert.equal(openSnapshots, 0);
  });

  it("are written one at a time", async () => {
    const first = backups.write(signal);
    await first.next();
    const options = { metadata: { limit: "backups", most: "1" }, retryAfterMs: 10_000 };
    await assert.rejects(backups.write(signal).next(), { reason: "LIMIT_REACHED", options });
    await first.return();
    assert.equal(openSnapshots, 0);
    await collect(backups.write(signal));
  });

  it("end with their reader", async () => {
    const controller = new AbortController();
    const backup = backups.write(controller.signal);
    await backup.next();
    controller.abort(new Error("left"));
    await assert.rejects(backup.next(), { message: "left" });
    assert.equal(openSnapshots, 0);
  });

  it("are cut off, and keep nothing open, when their reader stays away", async () => {
    const backup = backups.write(signal);
    await backup.next();
    clock.advance(backupStallMaxMs - 1);
    assert.equal(openSnapshots, 1);
    clock.advance(1);
    await setImmediate();
    assert.equal(openSnapshots, 0);
    await assert.rejects(backup.next(), { reason: "LIMIT_REACHED" });
    await collect(backups.write(signal));
  });

  async function countedSnapshot(): Promise<StoreSnapshot> {
    const snapshot = await store.snapshot();
    let isOpen = true;
    openSnapshots += 1;
    return {
      revision: snapshot.revision,
      entries: () => snapshot.entries(),
      async close() {
        if (isOpen) openSnapshots -= 1;
        isOpen = false;
        await snapshot.close();
      },
    };
  }
});

describe("PoolService.Backup", () => {
  let api: ServedApi;
  before(async () => {
    api = await ServedApi.open();
  });
  after(() => api.close());

  for (const front of fronts) {
    it(`gives a whole backup over ${front}`, async () => {
      const answers = await collect(api.client(PoolService, front).backup({}));
      assert.ok(answers.every(({ $typeName }) => $typeName === BackupResponseSchema.typeName));
      const { header, entries } = await decodeBackup(bytesOf(answers.map(({ chunk }) => chunk)));
      assert.equal(header.poolUid, servedPoolUid);
      assert.ok((await collect(entries)).flat().some(({ key }) => key.startsWith("template/")));
    });
  }
});

async function* bytesOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
