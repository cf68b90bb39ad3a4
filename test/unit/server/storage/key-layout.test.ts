import assert from "node:assert/strict";
import { keyLengthMax, parseRecordKey, recordKey, recordKindNames } from "../../../../server/storage/key-layout.ts";

describe("a record's key", () => {
  it("of every kind comes apart into what it was made of", () => {
    for (const kind of recordKindNames) {
      assert.deepEqual(parseRecordKey(recordKey(kind, "build-7/part:1")), { kind, id: "build-7/part:1" });
    }
  });

  it("takes no id that is empty, too long, or more than printable ASCII", () => {
    for (const id of ["", "a b", "ü", "a\n", "\0", "x".repeat(keyLengthMax)]) {
      assert.throws(() => recordKey("vm", id), { name: "AssertionFailed" }, JSON.stringify(id));
    }
  });

  it("of an unknown kind is a newer version's, and without a kind or id it is damage", () => {
    assert.throws(() => parseRecordKey("moon/a"), { kind: "newer", message: /moon\/a/ });
    for (const key of ["", "vm", "vm/", "/a"]) assert.throws(() => parseRecordKey(key), { kind: "damaged" });
  });
});
