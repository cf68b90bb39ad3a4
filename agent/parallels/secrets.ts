/**
 * Keeps secrets out of what this client says. The service repeats parts of a request in its errors (a catalog's connection
 * string holds a password), so every text that leaves the client is washed of the secrets that went in.
 */

/** Older ones are forgotten first; a Mac has one key, one token at a time and a few catalogs. */
const secretsMax = 64;

/** Shorter ones would blot out ordinary words; whoever has such a password has no secret. */
const secretLengthMin = 4;

/** Longer texts are cut: an error is for people. */
const messageLengthMax = 2000;

export class SecretWasher {
  readonly #secrets = new Set<string>();

  /** From now on `secret` is blotted out, as it is and URL-encoded. */
  add(secret: string | undefined): void {
    if (secret === undefined || secret.length < secretLengthMin) return;
    for (const form of new Set([secret, encodeURIComponent(secret)])) {
      this.#secrets.delete(form);
      this.#secrets.add(form);
    }
    while (this.#secrets.size > secretsMax) {
      const [oldest] = this.#secrets;
      if (oldest === undefined) return;
      this.#secrets.delete(oldest);
    }
  }

  /** The text without the known secrets, and of bounded length. */
  wash(text: string): string {
    let washed = text.length > 4 * messageLengthMax ? text.slice(0, 4 * messageLengthMax) : text;
    for (const secret of this.#secrets) washed = washed.replaceAll(secret, "[redacted]");
    return washed.length > messageLengthMax ? `${washed.slice(0, messageLengthMax)}…` : washed;
  }
}
