/** Small files that are there, whole, after a power cut: the bytes are synced first, then the directory that names them. */
import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Marks files of this module that a crash left half done; nothing reads them. */
export const unfinishedMark = ".unfinished-";

/** Makes the file. Rejects with code EEXIST if there is one, which then stays as it is. */
export async function createFileDurably(path: string, text: string): Promise<void> {
  const unfinished = await writeUnfinished(path, text);
  try {
    await link(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
  await syncDirectory(dirname(path));
}

/** Makes or replaces the file: a reader sees the old text or the new one, never a part. */
export async function replaceFileDurably(path: string, text: string): Promise<void> {
  await rename(await writeUnfinished(path, text), path);
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeUnfinished(path: string, text: string): Promise<string> {
  const unfinished = `${path}${unfinishedMark}${process.pid}`;
  const handle = await open(unfinished, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return unfinished;
}
