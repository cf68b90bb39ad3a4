/**
 * Paths into messages, such as `status.state` and `spec.labels.team`: resolved once against the descriptor, then read from any
 * number of messages. Paths lead through lists (to each element) and into maps (by key).
 */
import { type DescEnum, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import type { PathPart } from "./syntax.ts";

export type FieldType =
  | { readonly kind: "text" | "boolean" | "number" | "timestamp" | "duration" | "bytes" }
  | { readonly kind: "enum"; readonly descriptor: DescEnum }
  /** A message or a map, which can be asked only whether it is there. */
  | { readonly kind: "message" | "map" };

export interface FieldPath {
  readonly type: FieldType;
  /** Whether it leads to or through a list: there may be many values. */
  readonly isRepeated: boolean;
  /** The values found there; none if a message on the way, or a map's key, is absent. */
  readonly values: (message: Message) => readonly unknown[];
}

export interface PathFault {
  readonly position: number;
  readonly expected: string;
}

/** The path, or where it fails. Fields are written as in the proto, or as in JSON. */
export function resolvePath(schema: DescMessage, parts: readonly PathPart[]): FieldPath | PathFault {
  const steps: Step[] = [];
  let at: Place = { kind: "message", descriptor: schema };
  let isRepeated = false;
  for (const part of parts) {
    if (at.kind === "map") {
      steps.push(mapStep(part.text));
      at = placeOfMapValue(at.field);
    } else if (at.kind === "message" && wellKnown(at.descriptor) === undefined) {
      const field: DescField | undefined = findField(at.descriptor, part.text);
      if (field === undefined) return { position: part.position, expected: describeFields(at.descriptor, part.text) };
      steps.push(fieldStep(field));
      isRepeated ||= field.fieldKind === "list";
      at = placeOfField(field);
    } else {
      return { position: part.position, expected: "expected a comparison: there is nothing below this field" };
    }
  }
  return { type: typeOf(at), isRepeated, values: (message) => follow(steps, message) };
}

export function isPathFault(path: FieldPath | PathFault): path is PathFault {
  return "expected" in path;
}

/** Reads the values below a value. */
type Step = (value: object) => readonly unknown[];

type Place =
  | { readonly kind: "message"; readonly descriptor: DescMessage }
  | { readonly kind: "enum"; readonly descriptor: DescEnum }
  | { readonly kind: "scalar"; readonly scalar: ScalarType }
  | { readonly kind: "map"; readonly field: DescField & { readonly fieldKind: "map" } };

function findField(schema: DescMessage, name: string): DescField | undefined {
  return schema.fields.find((field) => field.name === name || field.jsonName === name);
}

function describeFields(schema: DescMessage, name: string): string {
  const names = schema.fields.map((field) => field.name).join(", ");
  return `expected a field of ${schema.name}, found "${name}"; its fields are ${names}`;
}

function placeOfField(field: DescField): Place {
  if (field.fieldKind === "map") return { kind: "map", field };
  if (field.message !== undefined) return { kind: "message", descriptor: field.message };
  if (field.enum !== undefined) return { kind: "enum", descriptor: field.enum };
  return { kind: "scalar", scalar: field.scalar ?? ScalarType.STRING };
}

function placeOfMapValue(field: DescField & { readonly fieldKind: "map" }): Place {
  if (field.message !== undefined) return { kind: "message", descriptor: field.message };
  if (field.enum !== undefined) return { kind: "enum", descriptor: field.enum };
  return { kind: "scalar", scalar: field.scalar ?? ScalarType.STRING };
}

function typeOf(place: Place): FieldType {
  switch (place.kind) {
    case "message":
      return { kind: wellKnown(place.descriptor) ?? "message" };
    case "enum":
      return { kind: "enum", descriptor: place.descriptor };
    case "map":
      return { kind: "map" };
    case "scalar":
      return { kind: scalarKind(place.scalar) };
    default:
      return place satisfies never;
  }
}

function wellKnown(schema: DescMessage): "timestamp" | "duration" | undefined {
  if (schema.typeName === "google.protobuf.Timestamp") return "timestamp";
  if (schema.typeName === "google.protobuf.Duration") return "duration";
  return undefined;
}

function scalarKind(scalar: ScalarType): "text" | "boolean" | "bytes" | "number" {
  if (scalar === ScalarType.STRING) return "text";
  if (scalar === ScalarType.BOOL) return "boolean";
  return scalar === ScalarType.BYTES ? "bytes" : "number";
}

function fieldStep(field: DescField): Step {
  return (value) => {
    const found = fieldValue(value, field);
    if (found === undefined) return [];
    return field.fieldKind === "list" && Array.isArray(found) ? found : [found];
  };
}

/** Messages of protobuf-es are plain objects with these properties. */
function fieldValue(value: object, field: DescField): unknown {
  if (field.oneof === undefined) return ownProperty(value, field.localName);
  const choice = ownProperty(value, field.oneof.localName);
  if (typeof choice !== "object" || choice === null) return undefined;
  return ownProperty(choice, "case") === field.localName ? ownProperty(choice, "value") : undefined;
}

function mapStep(key: string): Step {
  return (map) => {
    const found = Object.hasOwn(map, key) ? ownProperty(map, key) : undefined;
    return found === undefined ? [] : [found];
  };
}

/** Absent scalars of proto3 without presence stand in the prototype; `Reflect` finds those as well. */
function ownProperty(value: object, name: string): unknown {
  return Reflect.get(value, name);
}

function follow(steps: readonly Step[], message: Message): readonly unknown[] {
  let values: readonly unknown[] = [message];
  for (const step of steps) {
    values = values.flatMap((value) => (typeof value === "object" && value !== null ? step(value) : []));
  }
  return values;
}
