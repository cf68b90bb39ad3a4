import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type Claims, type RuleOutcome, readCondition } from "../../../../../server/access/oidc/claim-rule.ts";

const claims: Claims = {
  sub: "repo:acme/app:ref:refs/heads/main",
  repository: "acme/app",
  ref: "refs/heads/main",
  run_attempt: 2,
  share: 0.5,
  groups: ["build", "release"],
  protected: true,
  "https://example.com/team": "ios",
  "kubernetes.io": { namespace: "ci" },
};

describe("a condition over claims", () => {
  const outcomes: readonly (readonly [condition: string, outcome: RuleOutcome])[] = [
    ['repository == "acme/app" && ref == "refs/heads/main"', { holds: true }],
    ['repository == "acme/app" && ref == "refs/heads/dev"', { holds: false }],
    ["protected", { holds: true }],
    ["!protected", { holds: false }],
    ["run_attempt == 2 && run_attempt < 3", { holds: true }],
    ["share > 0.4", { holds: true }],
    ['"release" in groups', { holds: true }],
    ['groups.exists(group, group.startsWith("rel"))', { holds: true }],
    ['groups.all(group, group.startsWith("rel"))', { holds: false }],
    ['ref.startsWith("refs/heads/") && repository.split("/")[0] == "acme"', { holds: true }],
    ['claims["https://example.com/team"] == "ios"', { holds: true }],
    ['claims["kubernetes.io"].namespace == "ci"', { holds: true }],
    ["has(claims.environment)", { holds: false }],
    ['has(claims.environment) && environment == "release"', { holds: false }],
    ['environment == "release" || protected', { holds: true }],
    ['environment == "release"', { holds: false, problem: "Unknown variable: environment" }],
    ["repository", { holds: false, problem: "the answer is neither true nor false" }],
    ["repository == 3", { holds: false }],
  ];
  for (const [condition, outcome] of outcomes) {
    it(`${condition} ${outcome.holds ? "holds" : "does not hold"}`, () => {
      assert.deepEqual(ruleOf(condition).evaluate(claims), outcome);
    });
  }

  it("takes no property of JavaScript's own for a claim", () => {
    for (const name of ["constructor", "toString", "valueOf", "hasOwnProperty"]) {
      const { holds, problem } = ruleOf(`${name} != "x"`).evaluate(claims);
      assert.equal(holds, false, name);
      assert.match(problem ?? "", /Unknown variable/, name);
      assert.equal(ruleOf(`has(claims.${name})`).evaluate(claims).holds, false, name);
    }
  });

  it("is not taken in by a claim that is called claims", () => {
    const forged = { ...claims, claims: { repository: "acme/other" } };
    assert.deepEqual(ruleOf('claims.repository == "acme/app"').evaluate(forged), { holds: true });
  });

  const refusals: readonly (readonly [condition: string, problem: RegExp])[] = [
    ["", /is no expression in CEL/],
    ['repository == "acme/app', /is no expression in CEL/],
    ["1 +", /is no expression in CEL/],
    ['"a" + 1 == "a"', /no such overload/],
    ["1 + 1", /must be true or false, and is of type int/],
    ['"yes"', /must be true or false, and is of type string/],
    ['ref.matches("^(a+)+$")', /matches\(\) is refused/],
    ['groups.exists(g, g.matches("b"))', /matches\(\) is refused/],
    ["groups.exists(a, groups.exists(b, a == b))", /exists\(\) is not allowed within another loop/],
    ["cel.bind(a, sub + sub, size(a) > 3)", /bind\(\) is not allowed/],
    ['[sub, sub].join("") == "x"', /join\(\) is not allowed/],
    ["timestamp(0) < timestamp(1)", /timestamp\(\) is not allowed/],
    [`sub == "${"x".repeat(1100)}"`, /at most 1024 characters/],
    [`${"(".repeat(200)}true${")".repeat(200)}`, /is no expression in CEL/],
    [Array.from({ length: 200 }, () => "a").join("||"), /is no expression in CEL/],
  ];
  for (const [condition, problem] of refusals) {
    it(`${condition.slice(0, 50)} is refused`, () => {
      const read = readCondition(condition);
      assert("problem" in read, "it was taken");
      assert.match(read.problem, problem);
    });
  }

  it("answers or says why not, whatever is written and whatever the claims are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.dictionary(fc.string(), fc.jsonValue()), (text, anyClaims) => {
        const read = readCondition(text);
        if ("problem" in read) assert.notEqual(read.problem, "");
        else assert.equal(typeof read.evaluate(anyClaims as Claims).holds, "boolean");
      }),
    );
  });
});

function ruleOf(condition: string): { evaluate(claims: Claims): RuleOutcome } {
  const read = readCondition(condition);
  assert(!("problem" in read), "problem" in read ? read.problem : "");
  return read;
}
