/**
 * The journal's file in the agent's data directory. Readable by its owner alone, since commands carry what a catalog wants to
 * be shown. One agent at a time: `journal-owner.ts` sees to that.
 */
import { access, chmod, type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { JournalRefused } from "./journal-errors.ts";
import { takeOwnership } from "./journal-owner.ts";
import type { JournalStorage } from "./journal-storage.ts";

/** More than any journal that was written anew in time; beyond it somebody put another file there. */
const bytesMax = 256 * 1024 * 1024;

export const journalFileName = "journal";

/**
 * Takes the directory, which is made if it is not there.
 * @throws JournalRefused when another agent has it or it cannot be used.
 */
export async function openJournalFile(dataDir: string): Promise<JournalStorage> {
  await prepareDirectory(dataDir);
  const release = await takeOwnership(dataDir);
  return new JournalFile(dataDir, release);
}

class JournalFile implements JournalStorage {
  readonly #dataDir: string;
  readonly #path: string;
  readonly #release: () => Promise<void>;
  #handle: FileHandle | undefined;
  #isClosed = false;

  constructor(dataDir: string, release: () => Promise<void>) {
    this.#dataDir = dataDir;
    this.#path = join(dataDir, journalFileName);
    this.#release = release;
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      const handle = await open(this.#path, "r");
      try {
        const { size } = await handle.stat();
        if (size > bytesMax)
          throw new JournalRefused(`${this.#path} has ${size} bytes: it is no journal`, "Move it away.");
        return await handle.readFile();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#handle ??= await open(this.#path, "a", 0o600);
    await this.#handle.appendFile(bytes);
    await this.#handle.sync();
  }

  async replace(bytes: Uint8Array): Promise<void> {
    const unfinished = `${this.#path}.unfinished`;
    // The old file's handle must not outlive its name: an append would go to a file that nobody reads.
    await this.#handle?.close();
    this.#handle = undefined;
    await rm(unfinished, { force: true });
    const handle = await open(unfinished, "wx", 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(unfinished, this.#path);
    await syncDirectory(this.#dataDir);
  }

  async setAside(): Promise<string> {
    for (let number = 1; ; number += 1) {
      const path = `${this.#path}.damaged-${number}`;
      if (await exists(path)) continue;
      await rename(this.#path, path);
      await syncDirectory(this.#dataDir);
      return path;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#handle?.close();
    await this.#release();
  }
}

async function prepareDirectory(dataDir: string): Promise<void> {
  try {
    if ((await mkdir(dataDir, { recursive: true, mode: 0o700 })) !== undefined) await chmod(dataDir, 0o700);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new JournalRefused(`the data directory ${dataDir} cannot be made: ${why}`, "Name another with --data-dir.");
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    throw error;
  }
}

/** Makes the names in a directory durable. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
