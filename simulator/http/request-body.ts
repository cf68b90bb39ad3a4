/** Reads a request's body as JSON, whatever its content type says. */
import type { IncomingMessage } from "node:http";
import { bodyInvalid } from "../service-error.ts";

/** Requests are small; more is refused. */
const bodySizeMax = 1_048_576;

/**
 * Undefined if there is none.
 * @throws ServiceError if it is no JSON, or too long.
 */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= bodySizeMax) chunks.push(chunk);
  }
  if (size > bodySizeMax) throw bodyInvalid("http: request body too large");
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw bodyInvalid(error instanceof Error ? error.message : "no JSON");
  }
}
