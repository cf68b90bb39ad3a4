import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { filters } from "../../../../server/placement/filters.ts";
import { scores } from "../../../../server/placement/scores.ts";
import { defaultSettings } from "../../../../server/pool/settings/settings.ts";

const page = readFileSync(new URL("../../../../docs/placement.md", import.meta.url), "utf8");

/** The rows of the table under a title, without its head. */
function tableUnder(title: string): readonly (readonly string[])[] {
  const section = page.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? assert.fail(`no section "${title}"`);
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(2).map((row) => row.split("|").map((cell) => cell.trim().replaceAll("`", "")));
}

describe("docs/placement.md", () => {
  it("names every filter, in the order in which they are asked", () => {
    assert.deepEqual(
      tableUnder("Filters").map(([, name]) => name),
      filters.map(({ name }) => name),
    );
  });

  it("names every score with its weight", () => {
    assert.deepEqual(
      tableUnder("Scores").map(([, name, weight]) => [name, Number(weight)]),
      scores.map(({ name, weight }) => [name, defaultSettings.placement.weights[weight]]),
    );
  });
});
