/**
 * Keys: `kind/id`. A kind is what a record is about, an id names one record of the kind; ids with several parts join them
 * with "/" themselves. Keys beginning with "!" are the store's own (see `integrity.ts`) and never meet the engine.
 */
import { assert } from "../../shared/assert.ts";
import { StoreError } from "./store.ts";

/**
 * The version of the whole layout of a data directory: its files, the keys and the store's own records. It grows only when
 * an older Meridian could no longer make sense of it; a change inside one kind of record is that kind's own version.
 */
export const layoutVersion = 1;

/** Every kind of record that this version writes. */
export const recordKindNames = [
  "catalog",
  "credential",
  "history",
  "host",
  "issuer",
  "join-token",
  "lifetimes",
  "meta",
  "project",
  "request",
  "service-account",
  "settings",
  "template",
  "token",
  "vm",
] as const;

export type RecordKindName = (typeof recordKindNames)[number];

/** Longest key, in characters: a kind, and an id of two resource names and a client's request id of up to 128. */
export const keyLengthMax = 512;

/** Printable ASCII: the order of the characters is then the order of the bytes, and keys can be shown in messages. */
const idPattern = /^[\x21-\x7e]+$/;

/** Asserts that the id is printable ASCII without spaces and short enough: the edges have checked it long before. */
export function recordKey(kind: RecordKindName, id: string): string {
  const key = `${kind}/${id}`;
  assert(idPattern.test(id) && key.length <= keyLengthMax, `no key can be made of ${JSON.stringify(key)}`);
  return key;
}

export interface RecordKey {
  readonly kind: RecordKindName;
  readonly id: string;
}

/** The parts of a stored key. Throws `StoreError` "newer" for a kind that this version does not know. */
export function parseRecordKey(key: string): RecordKey {
  const slash = key.indexOf("/");
  if (slash <= 0 || slash === key.length - 1)
    throw new StoreError("damaged", `the key ${JSON.stringify(key)} is malformed`);
  const name = key.slice(0, slash);
  const kind = recordKindNames.find((known) => known === name);
  if (kind === undefined) {
    const message = `the record ${JSON.stringify(key)} is of a kind that this version does not know; start a newer Meridian`;
    throw new StoreError("newer", message);
  }
  return { kind, id: key.slice(slash + 1) };
}
