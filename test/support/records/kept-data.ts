/**
 * Data that released versions wrote, kept under `test/fixtures/data/VERSION` so that every later version is held against it:
 * a data directory and a backup as that version left them, the records in them for people to read, and the shapes of
 * records as that version had them. A version's folder is written once, by `npm run keep-data`, and never changed.
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeBatch, recordKinds } from "../../../server/engine/records.ts";
import type { DurableBatch } from "../../../server/pool/changes.ts";
import { encodeBackup } from "../../../server/storage/backup.ts";
import { type LevelStore, openLevelStore } from "../../../server/storage/level-store.ts";
import { required } from "../../../shared/assert.ts";
import { asUid } from "../../../shared/ids.ts";
import { FakeClock } from "../fake-clock.ts";
import type { Shape } from "./record-shape.ts";
import { recordShapes } from "./record-shapes.ts";
import { openSamplePool } from "./sample-pool.ts";

export interface KeptShape {
  /** The version of the kind's records. */
  readonly version: number;
  readonly shape: Shape;
}

export class KeptData {
  /** The version of Meridian. */
  readonly version: string;
  private readonly path: string;

  constructor(version: string) {
    this.version = version;
    this.path = join(keptDataPath, version);
  }

  /** A backup file. */
  get backup(): string {
    return join(this.path, "pool.backup");
  }

  /** Copies the data directory, since a start changes it. */
  async copyDirectory(to: string): Promise<void> {
    await cp(join(this.path, "directory"), to, { recursive: true });
    // As a server makes it; what is checked out may be open to all.
    await mkdir(to, { recursive: true, mode: 0o700 });
  }

  /** The stored text of each record, as JSON, by its key. */
  async records(): Promise<Readonly<Record<string, StoredRecord>>> {
    return JSON.parse(await readFile(join(this.path, "records.json"), "utf8"));
  }

  /** The shapes of records, by their kinds. */
  async shapes(): Promise<Readonly<Record<string, KeptShape>>> {
    return JSON.parse(await readFile(join(this.path, "shapes.json"), "utf8"));
  }
}

export interface StoredRecord {
  readonly version: number;
  readonly record: Readonly<Record<string, unknown>>;
}

/** Where data of releases is kept. */
export const keptDataPath = fileURLToPath(new URL("../../fixtures/data", import.meta.url));

/** All versions whose data is kept, the oldest first. */
export async function readKeptData(): Promise<readonly KeptData[]> {
  const versions = await readdir(keptDataPath);
  return versions.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).map((version) => new KeptData(version));
}

/** Keeps what the present code writes as that version's. Rejects with code EEXIST if there is some already. */
export async function writeKeptData(version: string): Promise<string> {
  const path = join(keptDataPath, version);
  await mkdir(keptDataPath, { recursive: true });
  await mkdir(path);
  const directory = join(path, "directory");
  const driver = await openSamplePool();
  // One part in tables, the other in the log, as a server that was restarted has them.
  const half = driver.batches.length >> 1;
  await storeBatches(directory, driver.batches.slice(0, half), async () => {});
  await storeBatches(directory, driver.batches.slice(half), async (store) => {
    await writeFile(join(path, "pool.backup"), await readBackup(store));
  });
  const records = driver.disk.contents().entries.map(({ key, value }): [string, unknown] => [key, JSON.parse(value)]);
  await driver.close();
  await writeFile(join(path, "records.json"), toJson(Object.fromEntries(records)));
  await writeFile(join(path, "shapes.json"), toJson(presentShapes()));
  // What differs each time, and what no start needs.
  for (const name of ["owner.json", "database/LOG", "database/LOG.old", "database/LOCK"]) {
    await rm(join(directory, name), { force: true });
  }
  return path;
}

/** The shapes of records as they are now, with the versions of their kinds. */
export function presentShapes(): Readonly<Record<string, KeptShape>> {
  return Object.fromEntries(
    Object.entries(recordShapes).map(([name, shape]) => {
      const kind = required(
        Object.values(recordKinds).find((candidate) => candidate.name === name),
        `kind ${name}`,
      );
      return [name, { version: kind.migrations.length + 1, shape }];
    }),
  );
}

const sources = {
  ids: { uid: () => asUid("0123456789abcdef".repeat(2)), suffix: (length: number) => "a".repeat(length) },
  clock: new FakeClock(Date.UTC(2026, 10, 1, 12)),
};

async function storeBatches(
  directory: string,
  batches: readonly DurableBatch[],
  finish: (store: LevelStore) => Promise<void>,
): Promise<void> {
  const store = await openLevelStore(directory, sources);
  await store.load();
  for (const { revision, changes } of batches) await store.commit(encodeBatch(revision, changes));
  await finish(store);
  await store.close();
}

async function readBackup(store: LevelStore): Promise<Buffer> {
  const snapshot = await store.snapshot();
  const chunks: Uint8Array[] = [];
  const createTime = new Date(sources.clock.wallMs()).toISOString();
  for await (const chunk of encodeBackup(snapshot, { poolUid: store.poolUid, createTime })) chunks.push(chunk);
  await snapshot.close();
  return Buffer.concat(chunks);
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
