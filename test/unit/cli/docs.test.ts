import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { exitCodes } from "../../../cli/exit-codes.ts";
import { buildProgram, leavesOf } from "../../../cli/program.ts";
import { captureTerminal } from "../../support/cli/captured-terminal.ts";
import { runAlone } from "../../support/cli/meridian.ts";

const page = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");

/** The hidden verb that shells ask. */
const hidden = "complete";

function pathOf(command: CommandUnknownOpts): string {
  const { parent } = command;
  return parent === null || parent.parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}

const verbs = leavesOf(await buildProgram(captureTerminal()))
  .map(pathOf)
  .filter((path) => path !== hidden);

describe("docs/cli.md", () => {
  it("has a line for every verb, and for nothing else", () => {
    const documented = [...page.matchAll(/^\| `([a-z -]+)` \|/gm)].map(([, path]) => path);
    assert.deepEqual(documented.toSorted(), verbs.toSorted());
  });

  it("lists every exit code", () => {
    const documented = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    assert.deepEqual(documented, Object.values(exitCodes));
  });
});

describe("help", () => {
  for (const path of verbs) {
    it(`of \`meridian ${path}\` has an example, and shows only flags that exist`, async () => {
      const { exitCode, out } = await runAlone([...path.split(" "), "--help"]);
      assert.equal(exitCode, 0);
      const [usage = "", shown = ""] = out.split("\nExamples:\n");
      assert.match(shown, new RegExp(`^ {2}\\$ meridian .*${path.split(" ")[0]}`, "m"));
      for (const line of shown.split("\n").filter((text) => text.includes(`$ meridian ${path} `))) {
        const own = line.split(" -- ")[0] ?? "";
        for (const [flag] of own.matchAll(/(?<= )--[a-z-]+/g)) assert.ok(usage.includes(flag), `${flag} of ${line}`);
      }
    });
  }
});
