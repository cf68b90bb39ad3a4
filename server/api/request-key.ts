/** What makes a create idempotent: the caller's request id, and a digest of what it asks for. */
import { createHash } from "node:crypto";
import { fieldInvalid } from "../../shared/errors.ts";
import type { RequestKey } from "../pool/events/request-key.ts";
import { isPrintable } from "./field-checks.ts";
import { requestIdLengthMax } from "./limits.ts";

/** The id of a request as it came; empty without one. Throws FIELD_INVALID. */
export function readRequestId(requestId: string): string {
  if (requestId.length > requestIdLengthMax || !isPrintable(requestId)) {
    throw fieldInvalid("request_id", `must have at most ${requestIdLengthMax} characters, and no control characters`);
  }
  return requestId;
}

/**
 * The part of a create event that makes it idempotent; nothing without a request id.
 * @param method such as "CreateVm".
 * @param content all that the request asks for, checked and with its defaults: what is the same request does not depend on
 * the order of its fields, nor on fields that are ignored.
 */
export function requestKeyOf(method: string, requestId: string, content: object): { readonly request?: RequestKey } {
  if (requestId === "") return {};
  const fingerprint = createHash("sha256").update(JSON.stringify(content, sortKeys)).digest("hex");
  return { request: { id: `${method}/${requestId}`, fingerprint } };
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
