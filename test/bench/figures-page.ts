/** Puts the figures of a run into a page of the documentation, between two marks, so that nobody copies them by hand. */
import { readFileSync, writeFileSync } from "node:fs";
import { assert } from "../../shared/assert.ts";

const startMark = "<!-- figures: written by npm run bench -- --page -->";
const endMark = "<!-- end of figures -->";

/** Replaces what stands between the marks of the page. Throws if it has none. */
export function writeFigures(path: string, text: string): void {
  const page = readFileSync(path, "utf8");
  const start = page.indexOf(startMark);
  const end = page.indexOf(endMark);
  assert(start >= 0 && end > start, `${path} has no place for figures: "${startMark}" and "${endMark}"`);
  writeFileSync(path, `${page.slice(0, start + startMark.length)}\n\n${text}\n\n${page.slice(end)}`);
}
