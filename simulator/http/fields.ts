/** Reads the fields of a request's body. What has the wrong type counts as missing, except where the service minds. */
import { bodyInvalid } from "../service-error.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** @throws ServiceError if the body is no object. */
export function readFields(body: unknown): Fields {
  if (!isFields(body)) throw bodyInvalid("unexpected end of JSON input");
  return body;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Empty if it is missing. */
export function text(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}

/** @throws ServiceError if it is missing or empty. */
export function requiredText(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (value === "") throw bodyInvalid(`error: ${name} cannot be empty`);
  return value;
}

export function flag(fields: Fields, name: string): boolean {
  return fields[name] === true;
}

/** Those of its items that are objects; empty if it is no list. */
export function list(fields: Fields, name: string): readonly Fields[] {
  const value = fields[name];
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** Those of its values that are strings; empty if it is missing. */
export function texts(fields: Fields, name: string): Readonly<Record<string, string>> {
  const value = fields[name];
  if (!isFields(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
