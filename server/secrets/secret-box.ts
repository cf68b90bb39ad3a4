/**
 * Seals secrets and opens them. A sealed text is AES-256-GCM under the newest key, bound to the field of the record that it
 * stands in, so that nobody can carry it to a place where it would be given to somebody else. It names its key, so that older
 * ones go on opening what they have sealed until it is sealed anew.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { assert } from "../../shared/assert.ts";
import type { SealedText } from "../pool/sealed.ts";
import type { SecretKey } from "./secret-key.ts";

/** Where a secret stands. */
export interface SecretPlace {
  /** The record's kind, such as `catalog`. */
  readonly kind: string;
  /** The record's id. */
  readonly id: string;
  /** What it is of the record, such as `credentials`. */
  readonly field: string;
}

/** Why a sealed text cannot be opened. */
export type SealedFault = "key-missing" | "altered";

const prefix = "sealed1";
const cipher = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

export class SecretBox {
  #keys: readonly [SecretKey, ...SecretKey[]];

  /** @param keys the one that seals, then older ones that only open. */
  constructor(keys: readonly SecretKey[]) {
    this.#keys = checked(keys);
  }

  /** The ids of its keys, that of the one that seals first. */
  get keyIds(): readonly [string, ...string[]] {
    const [current, ...older] = this.#keys;
    return [current.id, ...older.map(({ id }) => id)];
  }

  /** Seals with other keys from now on. */
  use(keys: readonly SecretKey[]): void {
    this.#keys = checked(keys);
  }

  seal(place: SecretPlace, secret: string): SealedText {
    const [key] = this.#keys;
    const nonce = randomBytes(nonceBytes);
    const encryption = createCipheriv(cipher, key.encryption, nonce, { authTagLength: tagBytes });
    encryption.setAAD(boundTo(place));
    const bytes = Buffer.concat([
      nonce,
      encryption.update(secret, "utf8"),
      encryption.final(),
      encryption.getAuthTag(),
    ]);
    // The only place where one is made.
    return `${prefix}.${key.id}.${bytes.toString("base64url")}` as SealedText;
  }

  /** The secret, or why it cannot be had. */
  open(place: SecretPlace, sealed: SealedText): { readonly secret: string } | { readonly fault: SealedFault } {
    const [, , text = ""] = sealed.split(".");
    const id = keyIdOf(sealed);
    const key = this.#keys.find((candidate) => candidate.id === id);
    if (key === undefined) return { fault: id === undefined ? "altered" : "key-missing" };
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length < nonceBytes + tagBytes) return { fault: "altered" };
    const decryption = createDecipheriv(cipher, key.encryption, bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    decryption.setAAD(boundTo(place));
    decryption.setAuthTag(bytes.subarray(bytes.length - tagBytes));
    try {
      const secret = decryption.update(bytes.subarray(nonceBytes, bytes.length - tagBytes));
      return { secret: Buffer.concat([secret, decryption.final()]).toString("utf8") };
    } catch {
      return { fault: "altered" };
    }
  }

  /** Whether the text was sealed with the key that seals now. */
  isCurrent(sealed: SealedText): boolean {
    return keyIdOf(sealed) === this.#keys[0].id;
  }

  /** Tells whether two secrets are the same, and nothing else to anybody without the key. Another after a rotation. */
  digest(secret: string): string {
    return createHmac("sha256", this.#keys[0].digest).update(secret).digest("hex");
  }
}

/** The id of the key that sealed the text; nothing if it is no sealed text. */
export function keyIdOf(sealed: SealedText): string | undefined {
  return /^sealed1\.([0-9a-f]{12})\./.exec(sealed)?.[1];
}

function boundTo({ kind, id, field }: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([kind, id, field]));
}

function checked(keys: readonly SecretKey[]): readonly [SecretKey, ...SecretKey[]] {
  const [current, ...older] = keys;
  assert(current !== undefined, "secrets without a key");
  return [current, ...older];
}
