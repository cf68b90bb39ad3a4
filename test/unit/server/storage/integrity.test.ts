import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  type CommitRecord,
  decodeCommitRecord,
  encodeCommitRecord,
  LiveDigest,
} from "../../../../server/storage/integrity.ts";
import { asUid } from "../../../../shared/ids.ts";

describe("the digest over all live records", () => {
  it("depends on the live records alone, whatever was put, replaced and deleted on the way", () => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 9 }).map((n) => `vm/${n}`),
      value: fc.option(fc.string({ unit: "binary" })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const live = new Map<string, string>();
        const digest = new LiveDigest();
        for (const { key, value } of steps) {
          if (value === null) {
            live.delete(key);
            digest.delete(key);
          } else {
            live.set(key, value);
            digest.put(key, value);
          }
        }
        assert.deepEqual(summary(digest), summary(digestOf([...live].reverse())));
      }),
    );
  });

  it("stays exact over tens of thousands of records", () => {
    const records = Array.from({ length: 30_000 }, (_, i): [string, string] => [`vm/${i}`, `value ${i}`]);
    assert.deepEqual(summary(digestOf(records)), summary(digestOf(records.toReversed())));
    const rewritten = digestOf(records.map(([key]) => [key, "older"]));
    for (const [key, value] of records) rewritten.put(key, value);
    assert.deepEqual(summary(rewritten), summary(digestOf(records)));
  });

  it("differs when a value, a key or the pairing of keys and values differs", () => {
    const records: readonly [string, string][] = [
      ["vm/a", '{"state":"RUNNING"}'],
      ["vm/b", '{"state":"STOPPED"}'],
    ];
    const sums = [
      records,
      [records[0], ["vm/b", '{"state":"RUNNING"}']],
      [records[0], ["vm/c", '{"state":"STOPPED"}']],
      [
        ["vm/a", '{"state":"STOPPED"}'],
        ["vm/b", '{"state":"RUNNING"}'],
      ],
    ].map((variant) => digestOf(variant as readonly [string, string][]).sum);
    assert.equal(new Set(sums).size, sums.length);
  });
});

describe("the commit record", () => {
  const commit: CommitRecord = {
    poolUid: asUid("0123456789abcdef".repeat(2)),
    revision: 41,
    count: 7,
    sum: "0000000abcdef",
  };

  it("comes back as it went", () => {
    const { poolUid, revision, count, sum } = decodeCommitRecord(encodeCommitRecord(commit)) ?? {};
    assert.deepEqual({ poolUid, revision, count, sum }, commit);
  });

  it("is refused when any of its fields is altered", () => {
    const text = encodeCommitRecord(commit);
    for (const [from, to] of [
      ["41", "42"],
      ["7", "8"],
      ["abcdef", "abcdee"],
      ["0123", "0124"],
    ] as const) {
      assert.notEqual(text.replace(from, to), text);
      assert.equal(decodeCommitRecord(text.replace(from, to)), undefined);
    }
    for (const other of ["", "{", "null", "7", "{}", "[]"]) assert.equal(decodeCommitRecord(other), undefined);
  });
});

function digestOf(records: readonly (readonly [string, string])[]): LiveDigest {
  const digest = new LiveDigest();
  for (const [key, value] of records) digest.put(key, value);
  return digest;
}

function summary(digest: LiveDigest): unknown {
  return { count: digest.count, sum: digest.sum };
}
