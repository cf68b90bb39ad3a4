/** Small files that are there, whole, after a power cut: the bytes are synced first, then the directory that names them. */
import { link, mkdtemp, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * Follows a file's name in the name of the folder in which it is made; nothing reads such a folder, and a crash can leave
 * one. Each attempt has its own, because processes that race for a file may even have the same id, in two containers.
 */
export const unfinishedMark = ".unfinished-";

/** Makes the file. Rejects with code EEXIST if there is one, which then stays as it is. */
export async function createFileDurably(path: string, text: string): Promise<void> {
  await placeDurably(path, { text, place: link });
}

/** Makes or replaces the file: a reader sees the old text or the new one, never a part. */
export async function replaceFileDurably(path: string, text: string): Promise<void> {
  await placeDurably(path, { text, place: rename });
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

interface Placement {
  readonly text: string;
  /** Gives the finished file its name, at once or not at all. */
  readonly place: (finished: string, path: string) => Promise<void>;
}

async function placeDurably(path: string, { text, place }: Placement): Promise<void> {
  const folder = await mkdtemp(`${path}${unfinishedMark}`);
  try {
    const finished = join(folder, "file");
    await writeSynced(finished, text);
    await place(finished, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  await syncDirectory(dirname(path));
}

async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
