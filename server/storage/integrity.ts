/**
 * What tells a complete store from one with records missing or altered. LevelDB does not: it opens a cut or altered log
 * without a word. So every batch carries a commit record with the revision, the number of live records, and a checksum over
 * all of them; loading recomputes both. `docs/storage.md` has the reasoning, and what remains undetected.
 *
 * The checksum is the sum, modulo 2^51, of one hash for each live record, so that it does not depend on the order, and a
 * put or delete changes it without a look at the other records. It guards against faults, not against an attacker, who
 * could write a matching one.
 */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Uid } from "../../shared/ids.ts";

/** Sorts before every record's key, so that one iterator meets it first. */
export const commitRecordKey = "!commit";

export interface CommitRecord {
  /** The pool whose data this is. */
  readonly poolUid: Uid;
  readonly revision: number;
  /** How many records are live at this revision. */
  readonly count: number;
  /** The checksum over them: 13 hexadecimal digits. */
  readonly sum: string;
}

/** Small enough that three of them add up exactly in a number, as `#change` needs. */
const sumModulus = 2 ** 51;

/** Count and checksum over all live records, kept up to date with each put and delete. */
export class LiveDigest {
  /** The hash of each live record: with an old value's hash at hand, a put need not read it back. About 100 bytes a key. */
  readonly #hashes = new Map<string, number>();
  #sum = 0;

  put(key: string, value: string): void {
    const added = hashRecord(key, value);
    this.#change(added - (this.#hashes.get(key) ?? 0));
    this.#hashes.set(key, added);
  }

  delete(key: string): void {
    this.#change(-(this.#hashes.get(key) ?? 0));
    this.#hashes.delete(key);
  }

  get count(): number {
    return this.#hashes.size;
  }

  /** 13 hexadecimal digits. */
  get sum(): string {
    return this.#sum.toString(16).padStart(13, "0");
  }

  #change(difference: number): void {
    this.#sum = (this.#sum + difference + sumModulus) % sumModulus;
  }
}

/** The commit record as text, closed by a seal over its own fields. */
export function encodeCommitRecord(commit: CommitRecord): string {
  return JSON.stringify({ ...commit, seal: sealOf(commit) });
}

/** The commit record in the text, or nothing if the text is not one or its seal is broken. */
export function decodeCommitRecord(text: string): CommitRecord | undefined {
  try {
    // The seal, below, is over exactly these fields: text of another form does not get past it.
    const parsed = JSON.parse(text) as CommitRecord & { readonly seal: string };
    return parsed.seal === sealOf(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/**
 * 51 bits out of a CRC-32 over key and value and of the value's length. The CRC is computed natively and costs a third of
 * any hash of OpenSSL's, which would slow a large batch by 40 %. CRCs alone must not be summed, though: they are linear, so
 * that two records that swap a field can cancel out; scrambled, they behave as if they were random.
 */
function hashRecord(key: string, value: string): number {
  const low = scramble(crc32(value, crc32(key)));
  const high = scramble(low ^ value.length);
  return (high >>> 13) * 2 ** 32 + low;
}

/** The finalizer of MurmurHash3: one-to-one on 32 bits, and each bit of the input changes half of the output's. */
function scramble(bits: number): number {
  const once = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}

function sealOf(commit: CommitRecord): string {
  return hash("sha256", `${commit.poolUid} ${commit.revision} ${commit.count} ${commit.sum}`, "hex").slice(0, 16);
}
