/**
 * The database's files as they were before a start. LevelDB, opening a damaged log, keeps what it can read and deletes the
 * log, so that a start would destroy what it finds damaged. Its files are never changed in place once a start is over, so
 * hard links are a faithful image at almost no cost; it is dropped once a start has verified every record.
 *
 * An image that exists is left as it is: it stands for the state before the first of several failed starts.
 *
 * All but the removal is synchronous: a start waits for it, and on a busy machine each turn through the thread pool costs it
 * milliseconds where a link takes microseconds.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DataDirectoryPaths } from "./data-directory.ts";
import { hasErrorCode } from "./storage-errors.ts";

/** Keeps an image if there is none. True when this call made it. Throws what the file system throws. */
export function keepImage(paths: DataDirectoryPaths): boolean {
  const unfinished = `${paths.databaseBefore}.unfinished`;
  if (existsSync(paths.databaseBefore)) return false;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  for (const name of readdirSync(paths.database)) {
    if (name !== "LOCK") linkOrCopy(join(paths.database, name), join(unfinished, name));
  }
  renameSync(unfinished, paths.databaseBefore);
  return true;
}

/**
 * Removes the image, if there is one: its name at once, its files until the promise resolves. A crash on the way leaves no
 * part of it under its name. Throws what the file system throws.
 */
export function dropImage(paths: DataDirectoryPaths): Promise<void> {
  const dropped = `${paths.databaseBefore}.dropped`;
  rmSync(dropped, { recursive: true, force: true });
  try {
    renameSync(paths.databaseBefore, dropped);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return Promise.resolve();
    throw error;
  }
  // What cannot be removed now is removed by the next start.
  return rm(dropped, { recursive: true, force: true }).catch(() => undefined);
}

/** Some file systems know no hard links. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
