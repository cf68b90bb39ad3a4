/**
 * The identity in the agent's data directory: `identity.json`, replaced as a whole, so that key and certificate always fit
 * together, and readable by its owner alone.
 */
import { chmod, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Identity, IdentityStore } from "./identity.ts";

/** An identity that cannot be read: with what to do about it. */
export class IdentityUnreadable extends Error {
  override readonly name = "IdentityUnreadable";
}

export function openIdentityFile(dataDir: string): IdentityStore {
  const path = join(dataDir, "identity.json");
  const pendingPath = join(dataDir, "enrolment-key.pem");
  return {
    async read() {
      const text = await readIfThere(path);
      return text === undefined ? undefined : parse(text, path);
    },
    async write(identity) {
      await writeDurably(dataDir, path, `${JSON.stringify(identity, undefined, 2)}\n`);
      await rm(pendingPath, { force: true });
    },
    async pendingKey(make) {
      const known = await readIfThere(pendingPath);
      if (known !== undefined) return known;
      const key = await make();
      await writeDurably(dataDir, pendingPath, key);
      return key;
    },
  };
}

function parse(text: string, path: string): Identity {
  const fields = parseObject(text);
  const { hostId, joinToken, servers, key, certificate, ca } = fields;
  const isWhole =
    [hostId, joinToken, key, certificate].every((field) => typeof field === "string") &&
    [servers, ca].every((field) => Array.isArray(field) && field.every((item) => typeof item === "string"));
  if (!isWhole) {
    throw new IdentityUnreadable(`${path} is no identity of an agent; move it away and enrol with a new join token`);
  }
  // The fields were checked a line above.
  return { hostId, joinToken, servers, key, certificate, ca } as Identity;
}

function parseObject(text: string): Partial<Readonly<Record<keyof Identity, unknown>>> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function writeDurably(directory: string, path: string, text: string): Promise<void> {
  if ((await mkdir(directory, { recursive: true, mode: 0o700 })) !== undefined) await chmod(directory, 0o700);
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { force: true });
  const handle = await open(unfinished, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, path);
  const names = await open(directory, "r");
  try {
    await names.sync();
  } finally {
    await names.close();
  }
}
