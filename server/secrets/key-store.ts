/**
 * Where the keys are kept: in a file beside the database, or in the environment of the process. Never in the database, and in
 * no backup of it.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { createFileDurably, replaceFileDurably } from "../storage/durable-file.ts";
import { hasErrorCode, toStoreError } from "../storage/storage-errors.ts";
import { StoreError } from "../storage/store.ts";
import { makeKeyText, parseKeys, type SecretKey } from "./secret-key.ts";

/** The variable that holds keys. */
export const keyVariable = "MERIDIAN_SECRETS_KEY";

/** Keys that a file keeps at most: older ones are for backups that were made under them. */
export const keysKeptMax = 8;

/** Where keys come from. */
export interface KeyStoreSettings {
  /** The file. Default `DIR/secrets.key`. */
  readonly file?: string | undefined;
  /** What stands in the environment; there is then no file. */
  readonly environment?: string | undefined;
}

export interface KeyStore {
  /** For people: where it is. */
  readonly where: string;
  /** The keys, the one that seals first; nothing if there are none yet. Rejects with a `StoreError`. */
  read(): Promise<readonly SecretKey[] | undefined>;
  /** Makes the first key. Absent: only who keeps the keys can. Rejects with a `StoreError`. */
  readonly create?: () => Promise<readonly SecretKey[]>;
  /** Puts a new key before the others. */
  readonly add?: () => Promise<readonly SecretKey[]>;
  /** Whether others than the user of this process may read it. */
  isOpenToOthers(): Promise<boolean>;
}

export function keyStoreOf({ file, environment }: KeyStoreSettings, dataDir: string): KeyStore {
  return environment === undefined || environment === ""
    ? new KeyFile(file ?? join(dataDir, "secrets.key"))
    : new KeyEnvironment(environment);
}

class KeyFile implements KeyStore {
  readonly where: string;

  constructor(path: string) {
    this.where = path;
  }

  async read(): Promise<readonly SecretKey[] | undefined> {
    const text = await this.#readText();
    return text === undefined ? undefined : keysIn(text, this.where);
  }

  async create(): Promise<readonly SecretKey[]> {
    const text = withComment([makeKeyText()]);
    try {
      await createFileDurably(this.where, text);
    } catch (error) {
      throw toStoreError(error, `${this.where} cannot be written`);
    }
    return keysIn(text, this.where);
  }

  async add(): Promise<readonly SecretKey[]> {
    const before = (await this.#readText()) ?? "";
    const kept = before.split(/\s+/).filter((word) => word.startsWith("msk1."));
    const text = withComment([makeKeyText(), ...kept].slice(0, keysKeptMax));
    try {
      await replaceFileDurably(this.where, text);
    } catch (error) {
      throw toStoreError(error, `${this.where} cannot be written`);
    }
    return keysIn(text, this.where);
  }

  async isOpenToOthers(): Promise<boolean> {
    return ((await stat(this.where)).mode & 0o077) !== 0;
  }

  async #readText(): Promise<string | undefined> {
    try {
      return await readFile(this.where, "utf8");
    } catch (error) {
      if (hasErrorCode(error, "ENOENT")) return undefined;
      throw toStoreError(error, `${this.where} cannot be read`);
    }
  }
}

class KeyEnvironment implements KeyStore {
  readonly where = keyVariable;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Promise<readonly SecretKey[]> {
    return Promise.resolve(this.#text).then((text) => keysIn(text, this.where));
  }

  isOpenToOthers(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

function keysIn(text: string, where: string): readonly SecretKey[] {
  const keys = parseKeys(text);
  if (!("problem" in keys)) return keys;
  const message = `${where} is no list of keys for secrets: ${keys.problem}. Bring the right one back; nothing was changed.`;
  throw new StoreError("failed", message);
}

function withComment(keys: readonly string[]): string {
  return [
    "# Opens the secrets in the records of this server, such as catalog credentials. The first key seals, the others are older.",
    "# No backup of the pool holds this file: keep a copy of it elsewhere, and apart from the backups.",
    ...keys,
    "",
  ].join("\n");
}
