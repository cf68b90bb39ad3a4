/** The text of an answer that somebody else's server gives, as far as that can be trusted with our memory. */

/** Nothing if it is longer than `bytesMax`; what is left of it is not read. */
export async function readBoundedText(response: Response, bytesMax: number): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > bytesMax) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
