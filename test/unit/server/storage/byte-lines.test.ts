import assert from "node:assert/strict";
import { readLines } from "../../../../server/storage/byte-lines.ts";

describe("bytes as lines", () => {
  it("are the same lines however they are cut into chunks", async () => {
    const text = "one\n\nthrée\n";
    for (const size of [1, 2, 3, 5, 100]) {
      assert.deepEqual(await linesOf(text, { size, lineBytesMax: 10 }), { lines: ["one", "", "thrée"], end: "whole" });
    }
  });

  it("without a last newline are cut, and the piece is no line", async () => {
    assert.deepEqual(await linesOf("one\ntw", { size: 2, lineBytesMax: 10 }), { lines: ["one"], end: "cut" });
    assert.deepEqual(await linesOf("", { size: 2, lineBytesMax: 10 }), { lines: [], end: "whole" });
  });

  it("end at the first line that is too long, with or without its newline", async () => {
    for (const text of ["12345\n123456\n1\n", "12345\n123456"]) {
      for (const size of [1, 100]) {
        assert.deepEqual(await linesOf(text, { size, lineBytesMax: 5 }), { lines: ["12345"], end: "too long" });
      }
    }
  });
});

async function linesOf(text: string, options: { size: number; lineBytesMax: number }): Promise<unknown> {
  const bytes = Buffer.from(text);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let start = 0; start < bytes.length; start += options.size) yield bytes.subarray(start, start + options.size);
  }
  const lines: string[] = [];
  const reading = readLines(chunks(), options.lineBytesMax);
  for (;;) {
    const step = await reading.next();
    if (step.done === true) return { lines, end: step.value };
    lines.push(step.value.toString("utf8"));
  }
}
