/** A data directory with records in tables and in a log, as one in use has, and its files by what they are. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { openLevelStore } from "../../../../server/storage/level-store.ts";
import type { StoreContents } from "../../../../server/storage/store.ts";
import { systemClock } from "../../../../shared/clock.ts";
import { randomIds } from "../../../../shared/ids.ts";
import { batchAt } from "./writer-batches.ts";

export const storeSources = { ids: randomIds, clock: systemClock };

/** Stores the writer's batches up to `revision`; what was there before is in tables afterwards, what is new in the log. */
export async function storeUpTo(directory: string, revision: number): Promise<void> {
  const store = await openLevelStore(directory, storeSources);
  let { revision: stored } = await store.load();
  while (stored < revision) {
    stored += 1;
    await store.commit(batchAt(stored));
  }
  await store.close();
}

/** What a start finds. Rejects with what a start is refused with. */
export async function readStored(directory: string): Promise<StoreContents> {
  const store = await openLevelStore(directory, storeSources);
  try {
    return await store.load();
  } finally {
    await store.close();
  }
}

/** The path of the newest of LevelDB's files whose name has this form. */
export async function databaseFile(directory: string, form: "log" | "ldb" | "MANIFEST"): Promise<string> {
  const database = join(directory, "database");
  const pattern = form === "MANIFEST" ? /^MANIFEST-/ : new RegExp(`^\\d+\\.${form}$`);
  const names = (await readdir(database)).filter((name) => pattern.test(name)).sort();
  const newest = names.at(-1);
  if (newest === undefined) throw new Error(`${database} has no ${form}`);
  return join(database, newest);
}
