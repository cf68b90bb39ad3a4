import assert from "node:assert/strict";
import { toStoreError } from "../../../../server/storage/storage-errors.ts";
import { StoreError } from "../../../../server/storage/store.ts";

describe("an error of the disk", () => {
  for (const [message, kind] of [
    ["IO error: /data/000012.log: No space left on device", "full"],
    ["ENOSPC: no space left on device, write", "full"],
    ["IO error: Disk quota exceeded", "full"],
    ["EFBIG: file too large, write", "full"],
    ["IO error: Input/output error", "failed"],
  ] as const) {
    it(`"${message}" is ${kind}, also as a cause`, () => {
      const error = new Error(message);
      assert.equal(toStoreError(error, "writing failed").kind, kind);
      assert.equal(toStoreError(new Error("not open", { cause: error }), "writing failed").kind, kind);
    });
  }

  it("that LevelDB calls corruption is damage", () => {
    const error = Object.assign(new Error("Corruption: bad block"), { code: "LEVEL_CORRUPTION" });
    assert.equal(toStoreError(error, "reading failed").kind, "damaged");
  });

  it("that has its kind already keeps it, and anything else has an end", () => {
    const locked = new StoreError("locked", "in use");
    assert.equal(toStoreError(locked, "opening failed"), locked);
    const circular = new Error("circular");
    circular.cause = circular;
    assert.equal(toStoreError(circular, "failed").kind, "failed");
    assert.equal(toStoreError("text", "failed").kind, "failed");
  });
});
