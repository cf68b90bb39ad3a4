/** What server and agent find on their disks: records, commits, backups, journals, context files. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeJournal, encodeJournal, encodeWrite, journalLineCount } from "../../../agent/journal/journal-lines.ts";
import { readContextFile } from "../../../cli/context-file.ts";
import { Failure } from "../../../cli/failure.ts";
import { recordKinds } from "../../../server/engine/records.ts";
import { decodeBackup, encodeBackup } from "../../../server/storage/backup.ts";
import { decodeCommitRecord, encodeCommitRecord } from "../../../server/storage/integrity.ts";
import { decodeRecord } from "../../../server/storage/record-format.ts";
import { StoreError } from "../../../server/storage/store.ts";
import { asUid } from "../../../shared/ids.ts";
import { openSamplePool } from "../../support/records/sample-pool.ts";
import { bytesOf, decoder, expect, refusedBy, type TargetMaker, textOf } from "../target.ts";

const isDeclared = (error: unknown): boolean => error instanceof StoreError;
const poolUid = asUid("0123456789abcdef0123456789abcdef");

/** Every record is read as one of each kind that has older versions, so that their migrations meet what nobody wrote. */
const records: TargetMaker = {
  name: "record",
  async open() {
    const driver = await openSamplePool();
    const { entries } = driver.disk.contents();
    const migrated = ["host", "template", "catalog"] as const;
    return {
      name: "record",
      samples: bytesOf(
        ...entries.filter(({ key }) => migrated.some((kind) => key.startsWith(`${kind}/`))).map(({ value }) => value),
        '{"version":1,"record":{"id":"images","spec":{"credentials":{"username":"a"}}}}',
      ),
      words: ['"version":1', '"version":2', '"version":1e9', '"record":{}'],
      judge: (input) =>
        refusedBy(isDeclared, () => {
          for (const kind of migrated)
            decodeRecord<object>(recordKinds[kind], { key: `${kind}/x`, value: textOf(input) });
        }),
    };
  },
};

const commits = decoder({
  name: "commit-record",
  samples: bytesOf(encodeCommitRecord({ poolUid, revision: 41, count: 7, sum: "0123456789abc" })),
  judge(input) {
    const commit = decodeCommitRecord(textOf(input));
    if (commit === undefined) return "refused";
    expect(
      typeof commit.revision === "number" && typeof commit.count === "number",
      "an altered commit record was taken",
    );
    return "decoded";
  },
});

const backups: TargetMaker = {
  name: "backup",
  async open() {
    const driver = await openSamplePool();
    const snapshot = await driver.store.snapshot();
    const chunks: Uint8Array[] = [];
    for await (const chunk of encodeBackup(snapshot, { poolUid, createTime: "2026-01-01T00:00:00Z" }))
      chunks.push(chunk);
    await snapshot.close();
    const whole = Buffer.concat(chunks);
    return {
      name: "backup",
      samples: [whole],
      judge: (input) =>
        refusedBy(isDeclared, async () => {
          const { entries } = await decodeBackup(inPieces(input));
          for await (const _step of entries);
          expect(Buffer.compare(Buffer.from(input), whole) === 0, "an altered backup was taken for a whole one");
        }),
    };
  },
};

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += 1000) yield bytes.subarray(from, from + 1000);
}

const journal = Buffer.concat([
  encodeJournal([
    { kind: "run", series: "a", number: 1 },
    { kind: "epoch", epoch: 7 },
    { kind: "generation", vmUid: poolUid, generation: 3 },
  ]),
  encodeWrite(journalLineCount, [{ kind: "step", commandId: "x-1", step: "copied" }]),
  encodeWrite(journalLineCount + 1, [{ kind: "settled", commandId: "x-1" }]),
]);
const journals = decoder({
  name: "journal",
  samples: [journal],
  judge(input) {
    const decoded = decodeJournal(input);
    if (decoded.kind !== "sound") return "refused";
    expect(decoded.records.length <= 5, "a journal has more in it than was written");
    return "decoded";
  },
});

const contextFiles: TargetMaker = {
  name: "context-file",
  open() {
    const folder = mkdtempSync(join(tmpdir(), "meridian-fuzz-"));
    const path = join(folder, "contexts.json");
    const context = { server: "127.0.0.1:7070", token: "mst1.x", caFingerprint: `sha256:${"ab".repeat(32)}` };
    return Promise.resolve({
      name: "context-file",
      samples: bytesOf(JSON.stringify({ current: "lab", contexts: { lab: context, other: { server: "x:1" } } })),
      judge: (input) =>
        refusedBy(
          (error) => error instanceof Failure,
          () => {
            writeFileSync(path, input);
            readContextFile(path);
          },
        ),
      close: () => Promise.resolve(rmSync(folder, { recursive: true })),
    });
  },
};

export const storedTargets: readonly TargetMaker[] = [records, commits, backups, journals, contextFiles];
