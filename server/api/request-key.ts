/** What makes a create idempotent: the caller's request id, and a digest of what it asks for. */
import { createHash } from "node:crypto";
import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../shared/errors.ts";
import type { RequestKey } from "../pool/events.ts";
import { isPrintable } from "./field-checks.ts";
import { requestIdLengthMax } from "./limits.ts";

/** @param method such as "CreateVm". Undefined without a request id. Throws FIELD_INVALID. */
export function requestKeyOf<S extends DescMessage>(
  method: string,
  schema: S,
  request: MessageShape<S> & { readonly requestId: string },
): RequestKey | undefined {
  const { requestId } = request;
  if (requestId === "") return undefined;
  if (requestId.length > requestIdLengthMax || !isPrintable(requestId)) {
    throw fieldInvalid("request_id", `must have at most ${requestIdLengthMax} characters, and no control characters`);
  }
  // The request id itself is the same in both; the order of fields and of maps is not, so both are sorted.
  const content = JSON.stringify(sorted(toJson(schema, request)));
  return { id: `${method}/${requestId}`, fingerprint: createHash("sha256").update(content).digest("hex") };
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, below]) => [key, sorted(below)]));
}
