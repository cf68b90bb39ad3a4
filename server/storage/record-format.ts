/**
 * Records as text: `{"version":2,"record":{…}}`. Each kind counts its own versions; a record of an older version is brought
 * up by the kind's migrations, one version at a time, when it is read, and is written in the new one when it next changes.
 * So an upgrade has no step of its own, and old and new records stand side by side. What a record means is its owner's.
 */
import { assert } from "../../shared/assert.ts";
import type { RecordKindName } from "./key-layout.ts";
import { type StoreEntry, StoreError } from "./store.ts";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [field: string]: JsonValue;
}

/** From one version to the next: a pure function that returns a new object. */
export type Migration = (older: JsonObject) => JsonObject;

declare const recordType: unique symbol;

/** One kind of record: its name in keys, and how its older versions become the present one. */
export interface RecordKind<Value extends object> {
  readonly name: RecordKindName;
  /** `migrations[n - 1]` brings version n to version n + 1; the present version is their number plus one. */
  readonly migrations: readonly Migration[];
  /** Only for the compiler: what a value of this kind is. */
  readonly [recordType]?: Value;
}

/**
 * A kind whose values are `Value`: plain data, as JSON keeps it. (A `Map`, a `bigint` or a class would not come back as it
 * went, so a type that holds one does not compile.)
 */
export function defineRecordKind<Value extends object>(
  name: [Value] extends [Storable<Value>] ? RecordKindName : never,
  migrations: readonly Migration[],
): RecordKind<Value> {
  return { name, migrations };
}

/** `Value`, if JSON gives back what it was given; otherwise a type that `Value` does not fit. */
export type Storable<Value> = Value extends string | number | boolean | null | undefined
  ? Value
  : Value extends
        | bigint
        | symbol
        | ((...args: never) => unknown)
        | Date
        | ReadonlyMap<unknown, unknown>
        | ReadonlySet<unknown>
        | Uint8Array
    ? never
    : { readonly [Field in keyof Value]: Storable<Value[Field]> };

export function encodeRecord<Value extends object>(kind: RecordKind<Value>, value: Value): string {
  return JSON.stringify({ version: kind.migrations.length + 1, record: value });
}

/**
 * The entry's value in the present version. Throws `StoreError` "newer" when a newer Meridian wrote it, and "damaged" when
 * it is no such record; both name the key.
 */
export function decodeRecord<Value extends object>(kind: RecordKind<Value>, entry: StoreEntry): Value {
  assert(entry.key.startsWith(`${kind.name}/`), `${entry.key} is read as a ${kind.name}`);
  const { version, record } = parseEnvelope(entry);
  const present = kind.migrations.length + 1;
  if (version > present) {
    const message = `the record ${entry.key} has version ${version}, and this Meridian knows ${present} at most; start a newer one`;
    throw new StoreError("newer", message);
  }
  // What was encoded as a Value, verified by the store's checksum and migrated, is a Value again.
  return migrated(kind.migrations.slice(version - 1), record, entry) as Value;
}

/** A migration counts on what its version wrote, and may throw anything over something else. */
function migrated(migrations: readonly Migration[], record: JsonObject, { key }: StoreEntry): JsonObject {
  try {
    return migrations.reduce((older, migrate) => migrate(older), record);
  } catch (error) {
    throw new StoreError("damaged", `the record ${key} is not what its version wrote; restore a backup`, error);
  }
}

interface Envelope {
  readonly version: number;
  readonly record: JsonObject;
}

function parseEnvelope(entry: StoreEntry): Envelope {
  const parsed = parseJson(entry);
  const { version, record } = isObject(parsed) ? parsed : {};
  if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1 || !isObject(record)) {
    throw new StoreError("damaged", `the record ${entry.key} has not the form of a record; restore a backup`);
  }
  return { version, record };
}

function parseJson(entry: StoreEntry): JsonValue {
  try {
    // JSON.parse gives nothing but what JsonValue says.
    return JSON.parse(entry.value) as JsonValue;
  } catch (error) {
    throw new StoreError("damaged", `the record ${entry.key} cannot be read; restore a backup`, error);
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
