/**
 * The database's files as they were before a start. LevelDB, opening a damaged log, keeps what it can read and deletes the
 * log, so that a start would destroy what it finds damaged. Its files are never changed in place once a start is over, so
 * hard links are a faithful image at almost no cost; it is dropped once a start has verified every record.
 *
 * An image that exists is left as it is: it stands for the state before the first of several failed starts.
 */
import { copyFile, link, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DataDirectoryPaths } from "./data-directory.ts";
import { hasErrorCode } from "./storage-errors.ts";

/** Keeps an image if there is none. True when this call made it. Rejects with what the file system throws. */
export async function keepImage(paths: DataDirectoryPaths): Promise<boolean> {
  const unfinished = `${paths.databaseBefore}.unfinished`;
  const isKept = await stat(paths.databaseBefore).then(
    () => true,
    () => false,
  );
  if (isKept) return false;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  for (const name of await readdir(paths.database)) {
    if (name !== "LOCK") await linkOrCopy(join(paths.database, name), join(unfinished, name));
  }
  await rename(unfinished, paths.databaseBefore);
  return true;
}

/** Removes the image, if there is one. A crash on the way leaves no part of it under its name. */
export async function dropImage(paths: DataDirectoryPaths): Promise<void> {
  const dropped = `${paths.databaseBefore}.dropped`;
  await rm(dropped, { recursive: true, force: true });
  try {
    await rename(paths.databaseBefore, dropped);
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return;
    throw error;
  }
  await rm(dropped, { recursive: true, force: true });
}

/** Some file systems know no hard links. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch {
    await copyFile(from, to);
  }
}
