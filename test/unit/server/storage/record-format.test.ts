import assert from "node:assert/strict";
import { decodeRecord, defineRecordKind, encodeRecord } from "../../../../server/storage/record-format.ts";

interface Machine {
  readonly id: string;
  readonly memoryMib: number;
  readonly labels: readonly string[];
  readonly host?: string;
}

/** Version 1 counted memory in GiB; version 2 had no labels. */
const machines = defineRecordKind<Machine>("vm", [
  ({ memoryGib, ...rest }) => ({ ...rest, memoryMib: Number(memoryGib) * 1024 }),
  (older) => ({ ...older, labels: [] }),
]);

describe("a record", () => {
  it("comes back as it went", () => {
    const machine: Machine = { id: "a", memoryMib: 4096, labels: ["ü", "\n"] };
    const value = encodeRecord(machines, machine);
    assert.deepEqual(decodeRecord(machines, { key: "vm/a", value }), machine);
    assert.match(value, /^\{"version":3,/);
  });

  it("of any older version is brought up, one version at a time", () => {
    const expected: Machine = { id: "a", memoryMib: 2048, labels: [] };
    for (const value of [
      '{"version":1,"record":{"id":"a","memoryGib":2}}',
      '{"version":2,"record":{"id":"a","memoryMib":2048}}',
      '{"version":3,"record":{"id":"a","memoryMib":2048,"labels":[]}}',
    ]) {
      assert.deepEqual(decodeRecord(machines, { key: "vm/a", value }), expected);
    }
  });

  it("of a newer version is refused as newer, by name", () => {
    const value = '{"version":4,"record":{}}';
    assert.throws(() => decodeRecord(machines, { key: "vm/a", value }), { kind: "newer", message: /vm\/a/ });
  });

  it("that is malformed is refused as damaged, by name", () => {
    const broken = ["", "{", "null", "[]", "7", "{}", '{"version":0,"record":{}}', '{"version":1.5,"record":{}}'];
    for (const value of [...broken, '{"version":"1","record":{}}', '{"version":1,"record":[]}', '{"version":1}']) {
      assert.throws(() => decodeRecord(machines, { key: "vm/a", value }), { kind: "damaged", message: /vm\/a/ }, value);
    }
  });

  it("is not read as another kind's", () => {
    const value = encodeRecord(machines, { id: "a", memoryMib: 1, labels: [] });
    assert.throws(() => decodeRecord(machines, { key: "host/a", value }), { name: "AssertionFailed" });
  });

  it("whose type would not come back from JSON as it went does not compile", () => {
    // @ts-expect-error A Map becomes {} in JSON.
    defineRecordKind<{ readonly labels: ReadonlyMap<string, string> }>("vm", []);
    // @ts-expect-error A bigint cannot be written.
    defineRecordKind<{ readonly nested: { readonly count: bigint } }>("vm", []);
    assert.equal(defineRecordKind<Machine>("vm", []).migrations.length, 0);
  });
});
