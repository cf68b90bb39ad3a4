/** The order of a list: `order_by`, read once, and the keys by which resources are compared. */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { isMessage } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expressionInvalid } from "../filter/expression-error.ts";
import { type FieldPath, isPathFault, resolvePath } from "../filter/field-path.ts";
import type { PathPart } from "../filter/syntax.ts";
import { filterLengthMax, orderFieldsMax, pathPartsMax, sortTextLengthMax } from "../limits.ts";

/** What is absent sorts first. */
export type SortKey = string | number | null;

export interface Order {
  keysOf(resource: Message): readonly SortKey[];
  /** Below, at or above 0. Equal keys are for the caller to tell apart, by name. */
  compare(a: readonly SortKey[], b: readonly SortKey[]): number;
}

/** The order, or undefined for the default: by name. Throws EXPRESSION_INVALID. */
export function compileOrder(schema: DescMessage, source: string): Order | undefined {
  if (source.length > filterLengthMax) throw expressionInvalid("order_by", filterLengthMax, "expected the end");
  const fields = readFields(schema, source);
  if (fields.length === 0 || isNameAlone(source)) return undefined;
  return {
    keysOf: (resource) => fields.map(({ path }) => keyOf(path.values(resource)[0])),
    compare: (a, b) => {
      for (const [index, { isDescending }] of fields.entries()) {
        const order = compareKeys(a[index] ?? null, b[index] ?? null);
        if (order !== 0) return isDescending ? -order : order;
      }
      return 0;
    },
  };
}

interface OrderField {
  readonly path: FieldPath;
  readonly isDescending: boolean;
}

function isNameAlone(source: string): boolean {
  return /^\s*name(?:\s+asc)?\s*$/.test(source);
}

function readFields(schema: DescMessage, source: string): OrderField[] {
  if (source.trim() === "") return [];
  const fields: OrderField[] = [];
  let position = 0;
  for (const part of source.split(",")) {
    fields.push(readField(schema, part, position));
    if (fields.length > orderFieldsMax) {
      throw expressionInvalid("order_by", position, `expected at most ${orderFieldsMax} fields`);
    }
    position += part.length + 1;
  }
  return fields;
}

function readField(schema: DescMessage, part: string, partPosition: number): OrderField {
  const match = /^\s*(?<path>[^\s"]+)(?:\s+(?<direction>asc|desc))?\s*$/.exec(part);
  const text = match?.groups?.["path"];
  if (text === undefined) {
    throw expressionInvalid("order_by", partPosition, 'expected a field, and "desc" behind it if wanted');
  }
  const parts: PathPart[] = [];
  let position = partPosition + part.indexOf(text);
  for (const name of text.split(".")) {
    parts.push({ text: name, position });
    position += name.length + 1;
  }
  if (parts.length > pathPartsMax) throw expressionInvalid("order_by", partPosition, "expected a shorter path");
  const path = resolvePath(schema, parts);
  if (isPathFault(path)) throw expressionInvalid("order_by", path.position, path.expected);
  const { kind } = path.type;
  if (path.isRepeated || kind === "message" || kind === "map" || kind === "bytes") {
    throw expressionInvalid(
      "order_by",
      partPosition,
      `expected a field with one value that can be compared, found "${text}"`,
    );
  }
  return { path, isDescending: match?.groups?.["direction"] === "desc" };
}

function keyOf(value: unknown): SortKey {
  if (typeof value === "string") return value.slice(0, sortTextLengthMax);
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (isMessage(value, TimestampSchema) || isMessage(value, DurationSchema)) {
    return Number(value.seconds) * 1000 + value.nanos / 1e6;
  }
  return null;
}

function compareKeys(a: SortKey, b: SortKey): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  return a < b ? -1 : 1;
}
