import assert from "node:assert/strict";
import { splitWords } from "../../../../simulator/guest/shell-words.ts";

describe("the words of a simulated guest's command line", () => {
  const cases: readonly [string, readonly string[]][] = [
    ["  echo  a b ", ["echo", "a", "b"]],
    ["'sw_vers' '-productVersion'", ["sw_vers", "-productVersion"]],
    ["echo 'it'\\''s' \"a \\\"b\\\" \\c\"", ["echo", "it's", 'a "b" \\c']],
    ["sh -c ''", ["sh", "-c", ""]],
    ["a\\ b", ["a b"]],
    ["", []],
  ];
  for (const [line, words] of cases) {
    it(`splits ${JSON.stringify(line)} as a shell does`, () => assert.deepEqual(splitWords(line), words));
  }
});
