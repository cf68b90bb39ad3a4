/**
 * Small decoders for JSON that others wrote. What must be there is asked for and its absence is a `ParallelsError`; what may
 * be missing falls back to an empty value. Nothing here ever throws a TypeError, whatever comes in.
 */
import { ParallelsError } from "./api.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object itself; anything else is an error that names `what`. */
export function decodeObject(value: unknown, what: string): JsonObject {
  if (isObject(value)) return value;
  throw malformed(`${what} is not an object`);
}

/** The array itself; anything else, `null` included, is an error: an empty list must never be read into a broken answer. */
export function decodeArray(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw malformed(`${what} is not a list`);
}

/** A text that must be there and not be empty. */
export function requireText(object: JsonObject, key: string, what: string): string {
  const text = textAt(object, key);
  if (text === "") throw malformed(`${what} has no ${key}`);
  return text;
}

/** A number above zero that must be there. */
export function requirePositive(object: JsonObject, key: string, what: string): number {
  const number = numberAt(object, key);
  if (number > 0) return number;
  throw malformed(`${what} has no ${key}`);
}

/** The text at `key`; a number becomes text; empty if there is nothing of the kind. */
export function textAt(object: JsonObject, key: string): string {
  const value = object[key];
  if (typeof value === "string") return value;
  return typeof value === "number" && Number.isFinite(value) ? String(value) : "";
}

/** The number at `key`, also when it stands there as text; 0 if there is none. */
export function numberAt(object: JsonObject, key: string): number {
  const value = object[key];
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : 0;
}

/** The object at `key`; an empty one if there is none. */
export function objectAt(object: JsonObject, key: string): JsonObject {
  const value = object[key];
  return isObject(value) ? value : {};
}

/** The objects of the list at `key`; whatever else stands there is left out. */
export function objectsAt(object: JsonObject, key: string): readonly JsonObject[] {
  const value: unknown = object[key];
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Parses JSON; text that is none gives nothing. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function malformed(detail: string): ParallelsError {
  return new ParallelsError("failed", `the service gave an answer that cannot be understood: ${detail}`);
}
