/**
 * What tells a complete store from one with records missing or altered. LevelDB does not: it opens a cut or altered log
 * without a word. So every batch carries a commit record with the revision, the number of live records, and a checksum over
 * all of them; loading recomputes both. `docs/storage.md` has the reasoning, and what remains undetected.
 *
 * The checksum is the sum, modulo 2^64, of one hash for each live record, so that it does not depend on the order, and a
 * put or delete changes it without a look at the other records. It guards against faults, not against an attacker, who
 * could write a matching one.
 */
import { hash } from "node:crypto";
import type { Uid } from "../../shared/ids.ts";

/** Sorts before every record's key, so that one iterator meets it first. */
export const commitRecordKey = "!commit";

export interface CommitRecord {
  /** The pool whose data this is. */
  readonly poolUid: Uid;
  readonly revision: number;
  /** How many records are live at this revision. */
  readonly count: number;
  /** The checksum over them: 16 hexadecimal digits. */
  readonly sum: string;
}

/** Count and checksum over all live records, kept up to date with each put and delete. */
export class LiveDigest {
  /** The hash of each live record: with an old value's hash at hand, a put need not read it back. About 100 bytes a key. */
  readonly #hashes = new Map<string, bigint>();
  #sum = 0n;

  put(key: string, value: string): void {
    const added = hashRecord(key, value);
    this.#sum += added - (this.#hashes.get(key) ?? 0n);
    this.#hashes.set(key, added);
  }

  delete(key: string): void {
    this.#sum -= this.#hashes.get(key) ?? 0n;
    this.#hashes.delete(key);
  }

  get count(): number {
    return this.#hashes.size;
  }

  /** 16 hexadecimal digits. */
  get sum(): string {
    this.#sum = BigInt.asUintN(64, this.#sum);
    return this.#sum.toString(16).padStart(16, "0");
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

/** 64 bits of SHA-256: processors have instructions for it, which makes it faster here than simpler hashes. */
function hashRecord(key: string, value: string): bigint {
  return BigInt(`0x${hash("sha256", `${key}\0${value}`, "hex").slice(0, 16)}`);
}

function sealOf(commit: CommitRecord): string {
  return hash("sha256", `${commit.poolUid} ${commit.revision} ${commit.count} ${commit.sum}`, "hex").slice(0, 16);
}
