/** Restoring a backup into a new data directory, on which a server can then be started. */
import { createReadStream } from "node:fs";
import type { Clock } from "../shared/clock.ts";
import { renewRestoredEntry } from "./engine/restored-records.ts";
import { type RestoreSummary, restoreBackup } from "./storage/restore.ts";
import { toStoreError } from "./storage/storage-errors.ts";

export interface RestoreOptions {
  /** The backup, as `meridian pool backup` wrote it. */
  readonly file: string;
  /** Absent or empty. */
  readonly dataDir: string;
  readonly clock: Clock;
}

/** Rejects with a `StoreError` that says what to do; the directory is then as empty as it was. */
export async function restoreDataDirectory({ file, dataDir, clock }: RestoreOptions): Promise<RestoreSummary> {
  const bytes = createReadStream(file);
  try {
    return await restoreBackup(bytes, { directory: dataDir, clock, renew: renewRestoredEntry });
  } catch (error) {
    throw toStoreError(error, `the backup ${file} cannot be restored`);
  } finally {
    bytes.destroy();
  }
}
