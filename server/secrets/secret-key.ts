/**
 * Keys that seal secrets, as text: `msk1.` and 256 random bits. A key's id is derived from it, so that a key that was mangled
 * on its way is another key and not a wrong one of the same name.
 */
import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from "node:crypto";

export interface SecretKey {
  /** Stands in every text that the key has sealed, and in messages: nothing of the key can be found by it. */
  readonly id: string;
  /** Encrypts. */
  readonly encryption: KeyObject;
  /** Makes digests of secrets that nobody can guess the secret by. */
  readonly digest: KeyObject;
}

const prefix = "msk1.";
const keyBytes = 32;

/** A new key, as text. */
export function makeKeyText(): string {
  return `${prefix}${randomBytes(keyBytes).toString("base64url")}`;
}

/**
 * The keys in a text, which stand a line or a space apart; lines that begin with "#" are for people.
 * @returns what is wrong with it, never with a part of a key, if it is no list of keys.
 */
export function parseKeys(text: string): readonly SecretKey[] | { readonly problem: string } {
  const words = text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .flatMap((line) => line.split(/[\s,]+/))
    .filter((word) => word !== "");
  if (words.length === 0) return { problem: "it holds no key" };
  const keys: SecretKey[] = [];
  for (const [index, word] of words.entries()) {
    const key = parseKey(word);
    if (key === undefined) return { problem: `its key ${index + 1} is none: a key is "${prefix}" and 43 characters` };
    if (keys.every(({ id }) => id !== key.id)) keys.push(key);
  }
  return keys;
}

function parseKey(text: string): SecretKey | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const encoded = text.slice(prefix.length);
  const bytes = Buffer.from(encoded, "base64url");
  if (bytes.length !== keyBytes || bytes.toString("base64url") !== encoded) return undefined;
  const derive = (purpose: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", bytes, "", `meridian secrets: ${purpose}`, length));
  return {
    id: derive("id", 6).toString("hex"),
    encryption: createSecretKey(derive("encryption", 32)),
    digest: createSecretKey(derive("digest", 32)),
  };
}
