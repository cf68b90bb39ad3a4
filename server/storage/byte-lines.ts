/** Bytes in chunks of any size, as lines. */

/**
 * Yields each line without its newline. Returns "whole" when the last line was ended by a newline, "cut" when it was not,
 * and "too long" at the first line of more than `lineBytesMax` bytes, which is never held in memory.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  lineBytesMax: number,
): AsyncGenerator<Buffer, "whole" | "cut" | "too long"> {
  let parts: Buffer[] = [];
  let partBytes = 0;
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      if (partBytes + end - start > lineBytesMax) return "too long";
      yield Buffer.concat([...parts, bytes.subarray(start, end)]);
      parts = [];
      partBytes = 0;
      start = end + 1;
    }
    if (start < bytes.length) parts.push(bytes.subarray(start));
    partBytes += bytes.length - start;
    if (partBytes > lineBytesMax) return "too long";
  }
  return partBytes === 0 ? "whole" : "cut";
}

const newline = 0x0a;
