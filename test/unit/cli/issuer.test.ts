import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import type {
  CreateIssuerRequest,
  ExplainIssuerRequest,
  UpdateIssuerRequest,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { type Issuer, IssuerSchema } from "../../../shared/gen/es/meridian/v1/issuer_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";
import { before } from "../../support/cli/samples.ts";

const condition = 'repository == "acme/app" && ref == "refs/heads/main"';
const rule = { condition, binding: { role: Role.USER, project: "acme" } };
const url = "https://token.actions.githubusercontent.com";
const issuer = (): Issuer =>
  create(IssuerSchema, {
    name: "issuers/github",
    spec: { description: "builds", url, audiences: ["meridian.acme.example"], rules: [rule] },
    createTime: before(3600),
  });

describe("meridian issuer", () => {
  it("create and update send rules, audiences and nothing that was not said", async () => {
    const requests: (CreateIssuerRequest | UpdateIssuerRequest)[] = [];
    const keep = (request: CreateIssuerRequest | UpdateIssuerRequest) => {
      requests.push(request);
      return { issuer: issuer() };
    };
    const access = { createIssuer: keep, updateIssuer: keep };
    const flags = ["--id", "github", "--url", url, "--audience", "a", "--audience", "b"];
    const made = await runAgainst({ access }, ["issuer", "create", ...flags, "--rule", `user@acme: ${condition}`]);
    assert.equal(made.out, "issuers/github\n", made.err);
    const [first] = requests;
    assert.deepEqual(first?.issuer?.spec?.audiences, ["a", "b"]);
    assert.deepEqual(
      first.issuer.spec.rules.map((sent) => [sent.condition, sent.binding?.role, sent.binding?.project]),
      [[condition, Role.USER, "acme"]],
    );
    await runAgainst({ access }, ["issuer", "update", "github", "--no-rules", "--disable"]);
    await runAgainst({ access }, ["issuer", "update", "github", "--rule", "viewer: true", "--enable"]);
    assert.deepEqual(
      requests.slice(1).map((request) => "updateMask" in request && request.updateMask?.paths),
      [
        ["spec.rules", "spec.disabled"],
        ["spec.rules", "spec.disabled"],
      ],
    );
    assert.deepEqual(
      requests.slice(1).map((request) => request.issuer?.spec?.rules.length),
      [0, 1],
    );
  });

  it("says what is wrong with a rule before anything is sent", async () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["user@acme", /user@acme is no rule. A rule is a role and a condition, such as/],
      ["user@acme:  ", /is no rule/],
      ["root: true", /root is no role/],
    ];
    for (const [text, message] of wrong) {
      const ran = await runAgainst({}, ["issuer", "update", "github", "--rule", text]);
      assert.equal(ran.exitCode, 2);
      assert.match(ran.err, message);
      assert.deepEqual(ran.calls, []);
    }
    assert.equal((await runAgainst({}, ["issuer", "update", "github"])).exitCode, 2);
    assert.equal((await runAgainst({}, ["issuer", "create", "--url", url])).exitCode, 2, "no audience");
  });

  it("list and get show rules in words", async () => {
    const access = {
      listIssuers: () => ({ issuers: [issuer()] }),
      getIssuer: () => ({ issuer: issuer() }),
    };
    const listed = await runAgainst({ access }, ["issuer", "list"]);
    assert.match(listed.out, /^github +ENABLED +1 .*https:\/\/token\.actions.* +meridian\.acme\.example +builds$/m);
    const shown = await runAgainst({ access }, ["issuer", "get", "github"]);
    assert.ok(shown.out.includes(`user in acme if ${condition}`), shown.out);
  });

  describe("explain", () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "meridian-issuer-"));
    });
    afterEach(() => rm(directory, { recursive: true, force: true }));

    it("sends the claims of a token, and never the token", async () => {
      const requests: ExplainIssuerRequest[] = [];
      const access = {
        explainIssuer: (request: ExplainIssuerRequest) => {
          requests.push(request);
          return {
            rules: [{ rule, holds: false, problem: "Unknown variable: ref" }],
            problems: ["`exp` is over"],
            principal: "issuers/github/subjects/x",
          };
        },
      };
      const claims = '{"sub":"x"}';
      const file = join(directory, "token");
      await writeFile(file, `eyJhbGciOiJSUzI1NiJ9.${Buffer.from(claims).toString("base64url")}.c2VjcmV0\n`);
      const { out, err } = await runAgainst({ access }, ["issuer", "explain", "github", "--claims", file]);
      assert.equal(requests[0]?.claimsJson, claims, err);
      assert.equal(
        out,
        "issuers/github/subjects/x: no rule holds\n  refused: `exp` is over\n" +
          `  does not hold: user in acme if ${condition} (Unknown variable: ref)\n`,
      );
      const missing = await runAgainst({ access }, ["issuer", "explain", "github", "--claims", join(directory, "no")]);
      assert.equal(missing.exitCode, 2);
      assert.match(missing.err, /cannot be read/);
    });
  });
});
