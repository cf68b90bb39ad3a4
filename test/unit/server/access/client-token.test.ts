import assert from "node:assert/strict";
import * as fc from "fast-check";
import { digestSecret, formatClientToken, parseClientToken } from "../../../../shared/client-token.ts";
import { asTokenId, randomIds } from "../../../../shared/ids.ts";

const secret = "A-_0".repeat(10);
const token = formatClientToken({ id: asTokenId("token-abc"), secret });

describe("the token of a service account", () => {
  it("is read as it was written", () => {
    assert.deepEqual(parseClientToken(token), { id: "token-abc", secret });
    for (let count = 0; count < 100; count += 1) {
      const content = { id: asTokenId(`token-${randomIds.suffix(10)}`), secret: randomIds.uid() };
      assert.deepEqual(parseClientToken(formatClientToken(content)), content);
    }
  });

  it("is named when it is cut or mistyped, wherever that is", () => {
    for (let at = 0; at < token.length; at += 1) {
      const cut = parseClientToken(token.slice(0, at));
      const mistyped = parseClientToken(`${token.slice(0, at)}${token[at] === "x" ? "y" : "x"}${token.slice(at + 1)}`);
      for (const parsed of [cut, mistyped]) {
        assert("problem" in parsed, `at ${at}`);
        assert.match(parsed.problem, at < 5 ? /begin with|newer|cut/ : /cut or altered/);
      }
    }
  });

  it("says that it is newer than this program", () => {
    const parsed = parseClientToken(token.replace("mst1", "mst2"));
    assert.deepEqual(parsed, { problem: "it is a token of a newer Meridian" });
  });

  it("never throws, and never says the secret, whatever it is given", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `mst1.${text}`),
        ),
        (text) => {
          const parsed = parseClientToken(text);
          if ("problem" in parsed) assert.ok(text.length < 12 || !parsed.problem.includes(text));
        },
      ),
    );
  });

  it("is kept as a digest from which nobody finds the secret", () => {
    assert.match(digestSecret(secret), /^[0-9a-f]{64}$/);
    assert.notEqual(digestSecret(secret), digestSecret(`${secret}a`));
  });
});
