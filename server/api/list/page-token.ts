/**
 * Page tokens: where the next page starts, and a digest of the list's parameters, so that a token cannot be used with
 * others. Opaque to clients; a token that they made up themselves shows nothing that a list would not.
 */
import { createHash } from "node:crypto";
import { MeridianError } from "../../../shared/errors.ts";
import { pageTokenLengthMax } from "../limits.ts";
import type { SortKey } from "./order.ts";

/** The last resource of the page before. */
export interface PagePosition {
  readonly id: string;
  readonly keys: readonly SortKey[];
}

export interface ListParameters {
  readonly collection: string;
  readonly filter: string;
  readonly orderBy: string;
}

export function encodePageToken(position: PagePosition, parameters: ListParameters): string {
  return Buffer.from(JSON.stringify([digestOf(parameters), position.id, position.keys])).toString("base64url");
}

/** The position; undefined for the first page. Throws PAGE_TOKEN_INVALID. */
export function decodePageToken(token: string, parameters: ListParameters): PagePosition | undefined {
  if (token === "") return undefined;
  const parsed = token.length > pageTokenLengthMax ? undefined : parse(token);
  if (!Array.isArray(parsed)) throw invalid("it is none of this server's");
  const [digest, id, keys] = parsed as readonly unknown[];
  if (typeof digest !== "string" || typeof id !== "string" || !isSortKeys(keys)) {
    throw invalid("it is none of this server's");
  }
  if (digest !== digestOf(parameters)) throw invalid("it belongs to a list with another filter or order");
  return { id, keys };
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

function isSortKeys(keys: unknown): keys is readonly SortKey[] {
  return Array.isArray(keys) && keys.every((key) => key === null || typeof key === "string" || typeof key === "number");
}

function digestOf(parameters: ListParameters): string {
  const text = JSON.stringify([parameters.collection, parameters.filter, parameters.orderBy]);
  return createHash("sha256").update(text).digest("base64url").slice(0, 16);
}

function invalid(why: string): MeridianError {
  return new MeridianError("PAGE_TOKEN_INVALID", `page_token: ${why}; begin with the first page`, {
    fields: [{ field: "page_token", description: why }],
  });
}
