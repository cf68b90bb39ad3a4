/** The values of a filter, read as the field's type asks, and the tests made of them. */
import { isMessage } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { FieldType } from "./field-path.ts";
import type { Comparator, FilterValue } from "./syntax.ts";

export type Test = (value: unknown) => boolean;

/** What was expected instead, after "expected". */
export interface ValueFault {
  readonly expected: string;
}

/** The test of one value; "!=" is not among them, since it means that no value is equal. */
export function makeTest(
  type: FieldType,
  comparator: Exclude<Comparator, "!=">,
  value: FilterValue,
): Test | ValueFault {
  switch (type.kind) {
    case "text":
      return textTest(comparator, value);
    case "boolean":
      return comparator === "=" || comparator === ":"
        ? booleanTest(value)
        : { expected: '"=", "!=" or ":" for a boolean' };
    case "number":
      return orderedTest(comparator, numberOf(value.text), numberOfField, "a number");
    case "enum":
      if (comparator !== "=" && comparator !== ":") return { expected: '"=", "!=" or ":" for a named value' };
      return enumTest(type.descriptor, value);
    case "timestamp":
      return orderedTest(comparator, timestampOf(value.text), nanosOf, 'a time such as "2026-11-22T10:00:00Z"');
    case "duration":
      return orderedTest(comparator, durationOf(value.text), nanosOf, "a duration such as 90s, 1.5h or 250ms");
    case "bytes":
    case "message":
      return { expected: '":*", which asks whether it is there, or a field below it' };
    case "map":
      return comparator === ":" ? keyTest(value) : { expected: 'a key, such as labels.team, or ":" and a key' };
    default:
      return type satisfies never;
  }
}

/** Whether a value counts as being there: `field:*`. */
export function isPresent(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return isMessage(value) || Object.keys(value).length > 0;
  return value !== undefined && value !== "" && value !== 0 && value !== 0n && value !== false;
}

function textTest(comparator: Exclude<Comparator, "!=">, value: FilterValue): Test {
  const { text, pieces } = value;
  switch (comparator) {
    case "=":
      if (pieces.length > 1) return (found) => typeof found === "string" && matchesPieces(found, pieces);
      return (found) => found === (pieces[0] ?? text);
    case ":": {
      const wanted = text.toLowerCase();
      if (pieces.length > 1) return (found) => typeof found === "string" && matchesPieces(found, pieces);
      return (found) => typeof found === "string" && found.toLowerCase().includes(wanted);
    }
    default:
      return (found) => typeof found === "string" && holds(comparator, found < text ? -1 : Number(found > text));
  }
}

/** Whether a text consists of the pieces, in order, with anything between them. Takes the first place for each: linear. */
export function matchesPieces(text: string, pieces: readonly string[]): boolean {
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let from = first.length;
  const end = text.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const at = text.indexOf(piece, from);
    if (at < 0 || at + piece.length > end) return false;
    from = at + piece.length;
  }
  return from <= end;
}

function booleanTest(value: FilterValue): Test | ValueFault {
  if (value.text !== "true" && value.text !== "false") return { expected: "true or false" };
  const wanted = value.text === "true";
  return (found) => found === wanted;
}

function enumTest(
  descriptor: Extract<FieldType, { kind: "enum" }>["descriptor"],
  value: FilterValue,
): Test | ValueFault {
  const wanted = value.text.toUpperCase();
  const prefix = (descriptor.sharedPrefix ?? "").toUpperCase();
  const found = descriptor.values.find(({ name }) => name === wanted || name === `${prefix}${wanted}`);
  if (found === undefined) {
    const names = descriptor.values.map(({ name }) => name.slice(prefix.length)).join(", ");
    return { expected: `one of ${names}` };
  }
  return (value) => value === found.number;
}

function keyTest(value: FilterValue): Test {
  const { pieces } = value;
  return (map) => typeof map === "object" && map !== null && Object.keys(map).some((key) => matchesText(key, pieces));
}

function matchesText(text: string, pieces: readonly string[]): boolean {
  return pieces.length > 1 ? matchesPieces(text, pieces) : text === pieces[0];
}

function orderedTest<T extends number | bigint>(
  comparator: Exclude<Comparator, "!=">,
  wanted: T | undefined,
  read: (found: unknown) => T | undefined,
  expected: string,
): Test | ValueFault {
  if (wanted === undefined) return { expected };
  return (found) => {
    const value = read(found);
    if (value === undefined) return false;
    return holds(comparator, value < wanted ? -1 : Number(value > wanted));
  };
}

/** @param order of the value to what it is compared with: below, at or above 0. */
function holds(comparator: Exclude<Comparator, "!=">, order: number): boolean {
  switch (comparator) {
    case "=":
    case ":":
      return order === 0;
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    default:
      return comparator satisfies never;
  }
}

function numberOf(text: string): number | undefined {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

function numberOfField(found: unknown): number | undefined {
  return typeof found === "number" || typeof found === "bigint" ? Number(found) : undefined;
}

const nanosPerSecond = 1_000_000_000n;

function timestampOf(text: string): bigint | undefined {
  const match =
    /^(?<seconds>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(?<fraction>\d{1,9}))?(?<zone>[Zz]|[+-]\d\d:\d\d)$/.exec(text);
  const groups = match?.groups;
  if (groups === undefined) return undefined;
  const ms = Date.parse(`${groups["seconds"]}${groups["zone"]}`.toUpperCase());
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt((groups["fraction"] ?? "").padEnd(9, "0"));
}

const unitNanos: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3600e9, d: 86_400e9 };

function durationOf(text: string): bigint | undefined {
  const match = /^(?<amount>-?\d{1,9}(?:\.\d{1,9})?)(?<unit>ms|s|m|h|d)$/.exec(text);
  const unit = unitNanos[match?.groups?.["unit"] ?? ""];
  if (unit === undefined) return undefined;
  return BigInt(Math.round(Number(match?.groups?.["amount"]) * unit));
}

function nanosOf(found: unknown): bigint | undefined {
  if (!isMessage(found, TimestampSchema) && !isMessage(found, DurationSchema)) return undefined;
  return found.seconds * nanosPerSecond + BigInt(found.nanos);
}
