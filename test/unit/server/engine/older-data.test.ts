/** What every earlier version stored, held against today's code; see `test/support/records/kept-data.ts`. */
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { Engine } from "../../../../server/engine/engine.ts";
import { decodePool, recordKinds } from "../../../../server/engine/records.ts";
import { parseRecordKey } from "../../../../server/storage/key-layout.ts";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import { MemoryDisk } from "../../../../server/storage/memory-store.ts";
import { decodeRecord, type RecordKind } from "../../../../server/storage/record-format.ts";
import { restoreBackup } from "../../../../server/storage/restore.ts";
import type { StoreBatch, StoreContents, StoreEntry } from "../../../../server/storage/store.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { randomIds } from "../../../../shared/ids.ts";
import { silentLogger } from "../../../../shared/log.ts";
import { makeScratchDirectory, type ScratchDirectory } from "../../../contract/store/scratch-directory.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { goldenVm, hostVm } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { vmWant } from "../../../support/pool/specs.ts";
import { harmlessAdditions } from "../../../support/records/harmless-additions.ts";
import { type KeptData, presentShapes, readKeptData, type StoredRecord } from "../../../support/records/kept-data.ts";
import { additions, differences, valuesOf } from "../../../support/records/record-shape.ts";

const keptData = await readKeptData();
const kinds: ReadonlyMap<string, RecordKind<object>> = new Map(Object.entries(recordKinds));
const present = presentShapes();

it("there is data of at least one version", () => assert.ok(keptData.length > 0));

for (const kept of keptData) {
  describe(`data of version ${kept.version}`, () => {
    let scratch: ScratchDirectory;
    let directory: string;
    let records: Readonly<Record<string, StoredRecord>>;

    before(async () => {
      scratch = await makeScratchDirectory();
      directory = join(scratch.path, "data");
      await kept.copyDirectory(directory);
      records = await kept.records();
    });
    after(() => scratch.remove());

    it("is found in its directory, to the letter", async () => {
      assert.deepEqual(parsed(await load(directory)), records);
    });

    it("is found in its backup, to the letter", async () => {
      const restored = join(scratch.path, "restored");
      const renew = (entry: StoreEntry): StoreEntry => entry;
      await restoreBackup(createReadStream(kept.backup), { directory: restored, clock: systemClock, renew });
      assert.deepEqual(parsed(await load(restored)), records);
    });

    it("is read with every value in its place", async () => {
      for (const entry of (await load(directory)).entries) {
        const { name, record } = decodeEntry(entry);
        const stored = records[entry.key] ?? assert.fail(entry.key);
        assert.deepEqual(record, valueToday(name, stored), entry.key);
        assert.deepEqual(differences(shapeOf(name), record, entry.key), []);
      }
    });

    it("is what its own shapes say", async () => {
      const shapes = await kept.shapes();
      for (const [key, { version, record }] of Object.entries(records)) {
        const { shape, version: expected } = shapes[parseRecordKey(key).kind] ?? assert.fail(key);
        assert.equal(version, expected, key);
        assert.deepEqual(differences(shape, record, key), []);
      }
    });

    it("is the pool of today, in which what was under way goes on", async () => {
      await goesOn(await load(directory));
    });
  });

  describe(`any record that version ${kept.version} can have written`, () => {
    for (const [name, kind] of kinds) {
      it(`of kind ${name} is read as one of today`, async () => {
        const { version, shape } = (await kept.shapes())[name] ?? {};
        // A kind that came later.
        if (version === undefined || shape === undefined) return;
        fc.assert(
          fc.property(valuesOf(shape), (record) => {
            const value = JSON.stringify({ version, record });
            assert.deepEqual(differences(shapeOf(name), decodeRecord(kind, { key: `${name}/a`, value }), name), []);
          }),
        );
      });

      it(`of kind ${name} can be read by it again, or says that it is newer`, async () => {
        assert.deepEqual(await undecidedAdditions(kept, name), []);
      });
    }
  });
}

describe("a record of a version that is not known yet", () => {
  let scratch: ScratchDirectory;

  beforeEach(async () => {
    scratch = await makeScratchDirectory();
  });
  afterEach(() => scratch.remove());

  it("keeps a server from starting, and nothing is changed", async () => {
    const directory = join(scratch.path, "data");
    await keptData[0]?.copyDirectory(directory);
    const contents = await load(directory);
    const entry = contents.entries.find(({ key }) => key === "vm/running") ?? assert.fail();
    const value = entry.value.replace(/"version":\d+/, '"version":1000');
    await commit(directory, { revision: contents.revision + 1, puts: [{ key: entry.key, value }], deletes: [] });
    const before = await load(directory);
    const store = await openLevelStore(directory, sources);
    const opening = Engine.open({ store, clock: systemClock, log: silentLogger });
    await assert.rejects(opening, { kind: "newer", message: /vm\/running has version 1000/ });
    await store.close();
    assert.deepEqual(await load(directory), before);
  });
});

/** The values that an older record has today, said once more by hand: by kind and version. */
function valueToday(name: string, { version, record }: StoredRecord): Readonly<Record<string, unknown>> {
  if (name === "host" && version === 1) return { orphans: [], removalCount: 0, ...record };
  if (name === "catalog" && version === 1) {
    const { credentials, ...spec } = record["spec"] as Readonly<Record<string, unknown>>;
    const stored = credentials !== undefined && { credentials: { kind: "plain", text: JSON.stringify(credentials) } };
    return { ...record, spec: { ...spec, ...stored } };
  }
  return record;
}

async function goesOn(contents: StoreContents): Promise<void> {
  const { newestMs } = decodePool(contents);
  const driver = await PoolDriver.open({ disk: new MemoryDisk(contents), clock: new FakeClock(newestMs) });
  for (const host of driver.view().hosts.values()) {
    const own = [...driver.view().vmsOn(host.id)].flatMap((id) => driver.view().vms.get(id)?.sight ?? []);
    const vms = [...own, ...host.foreignVms].map(({ id, name, state }) => hostVm(name, { id, state }));
    await driver.addHost(host.id, { inventory: { isWhole: true, vms: [goldenVm(), ...vms], removedIds: [] } });
  }
  await driver.advance(60_000);
  // One that was under way was made, one whose host was silent is back, and one that was being deleted is gone.
  const states = ["running", "creating", "unknown", "restarting", "adopted", "suspended", "waiting", "deleting"].map(
    (name) => driver.vm(name).state,
  );
  assert.deepEqual(states, ["RUNNING", "RUNNING", "RUNNING", "RUNNING", "RUNNING", "SUSPENDED", "PENDING", "DELETED"]);
  await driver.submit(vmWant("running", "stopped"));
  assert.equal(driver.vm("running").state, "STOPPED");
  const after = driver.disk.contents().entries;
  const version = (key: string): unknown => JSON.parse(after.find((entry) => entry.key === key)?.value ?? "{}").version;
  assert.equal(version("vm/running"), present["vm"]?.version);
  assert.equal(version("host/mac-1"), present["host"]?.version);
  // What did not change is as it was, to the letter.
  const untouched = contents.entries.find(({ key }) => key === "catalog/images");
  assert.deepEqual(
    after.find(({ key }) => key === "catalog/images"),
    untouched,
  );
  await driver.close();
}

async function undecidedAdditions(kept: KeptData, name: string): Promise<readonly string[]> {
  const older = (await kept.shapes())[name];
  const newer = present[name];
  if (older === undefined || newer === undefined || older.version !== newer.version) return [];
  return additions(older.shape, newer.shape, name).filter((path) => !Object.hasOwn(harmlessAdditions, path));
}

function shapeOf(name: string) {
  return (present[name] ?? assert.fail(name)).shape;
}

function decodeEntry(entry: StoreEntry): { readonly name: string; readonly record: object } {
  const name = parseRecordKey(entry.key).kind;
  const kind = kinds.get(name) ?? assert.fail(name);
  return { name, record: decodeRecord(kind, entry) };
}

function parsed({ entries }: StoreContents): unknown {
  return Object.fromEntries(entries.map(({ key, value }) => [key, JSON.parse(value)]));
}

const sources = { ids: randomIds, clock: systemClock };

async function load(directory: string): Promise<StoreContents> {
  const store = await openLevelStore(directory, sources);
  try {
    return await store.load();
  } finally {
    await store.close();
  }
}

async function commit(directory: string, batch: StoreBatch): Promise<void> {
  const store = await openLevelStore(directory, sources);
  await store.load();
  await store.commit(batch);
  await store.close();
}
