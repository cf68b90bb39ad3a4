import assert from "node:assert/strict";
import { commandIdOf } from "../../../../server/apply/command.ts";
import { hostKind, vmKind } from "../../../../server/engine/records.ts";
import { renewRestoredEntry } from "../../../../server/engine/restored-records.ts";
import { decodeRecord, encodeRecord } from "../../../../server/storage/record-format.ts";
import type { StoreEntry } from "../../../../server/storage/store.ts";
import { collect } from "../../../contract/store/store-contract.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";

const step = 1_000_000;

describe("a restored record", () => {
  let entries: readonly StoreEntry[];

  before(async () => {
    const driver = await PoolDriver.open();
    await driver.addHost("mac-1");
    await driver.create("a");
    const snapshot = await driver.store.snapshot();
    entries = await collect(snapshot.entries());
    await snapshot.close();
    await driver.close();
  });

  const entryOf = (key: string): StoreEntry => {
    const entry = entries.find((candidate) => candidate.key === key);
    assert.ok(entry, key);
    return entry;
  };

  it("of a host has an epoch that the pool never gave out, and new ids for removals", () => {
    const entry = entryOf("host/mac-1");
    const before = decodeRecord(hostKind, entry);
    assert.deepEqual(decodeRecord(hostKind, renewRestoredEntry(entry, step)), {
      ...before,
      epoch: before.epoch + step,
      removalCount: step,
    });
  });

  it("of a VM gives new ids to the commands that follow, and higher generations, and keeps the command under way", () => {
    const stored = decodeRecord(vmKind, entryOf("vm/a"));
    const id = commandIdOf(stored.uid, stored.commandCount);
    const command = { id, kind: "stop", state: "SENT", force: false, generation: stored.generation } as const;
    const before = { ...stored, command };
    const entry = { key: "vm/a", value: encodeRecord(vmKind, before) };
    assert.deepEqual(decodeRecord(vmKind, renewRestoredEntry(entry, step)), {
      ...before,
      generation: before.generation + step,
      observedGeneration: before.observedGeneration + step,
      commandCount: before.commandCount + step,
      command: { ...command, generation: command.generation + step },
    });
  });

  it("of any other kind stays as it is", () => {
    const others = entries.filter(({ key }) => !/^(host|vm)\//.test(key));
    assert.ok(others.length > 0);
    for (const entry of others) assert.equal(renewRestoredEntry(entry, step), entry);
  });
});
