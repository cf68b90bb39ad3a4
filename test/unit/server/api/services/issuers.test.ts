import assert from "node:assert/strict";
import { AccessService } from "../../../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { Role } from "../../../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { fronts, refused, ServedApi } from "../../../../support/server/served-api.ts";

const rule = { condition: 'repository == "acme/app"', binding: { role: Role.USER, project: "acme" } };
const github = {
  description: "builds",
  url: "https://token.actions.githubusercontent.com",
  audiences: ["meridian.acme.example"],
  rules: [rule],
};
const name = "issuers/github";

describe("AccessService, for issuers", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
  });
  afterEach(() => api.close());

  const access = (): ReturnType<typeof api.client<typeof AccessService>> => api.client(AccessService);

  for (const front of fronts) {
    it(`makes, shows, lists, changes and deletes them over ${front}`, async () => {
      const client = api.client(AccessService, front);
      const made = await client.createIssuer({ issuerId: "github", issuer: { spec: github } });
      assert.equal(made.issuer?.name, name);
      const { issuer } = await client.getIssuer({ name });
      assert.deepEqual(issuer, made.issuer);
      assert.equal(issuer?.spec?.rules[0]?.binding?.project, "acme");
      const { issuers } = await client.listIssuers({ filter: "spec.disabled = false" });
      assert.deepEqual(issuers, [issuer]);
      const changed = await client.updateIssuer({
        issuer: { name, etag: issuer?.etag ?? "", spec: { disabled: true } },
        updateMask: { paths: ["spec.disabled"] },
      });
      assert.equal(changed.issuer?.spec?.disabled, true);
      assert.equal(changed.issuer.spec.rules.length, 1);
      assert.equal(changed.issuer.generation, 2n);
      await refused(client.deleteIssuer({ name, etag: issuer?.etag ?? "" }), "ETAG_MISMATCH");
      await client.deleteIssuer({ name });
      await refused(client.getIssuer({ name }), "RESOURCE_NOT_FOUND");
    });
  }

  it("answers a repeated create with the issuer that it made", async () => {
    const request = { issuer: { spec: github }, requestId: "r" };
    const first = await access().createIssuer(request);
    assert.match(first.issuer?.name ?? "", /^issuers\/issuer-/);
    assert.equal((await access().createIssuer(request)).issuer?.uid, first.issuer?.uid);
    const other = { ...request, issuer: { spec: { ...github, description: "another" } } };
    await refused(access().createIssuer(other), "REQUEST_ID_REUSED");
    await refused(access().createIssuer({ issuerId: "other", issuer: { spec: github } }), "FIELD_INVALID");
  });

  it("holds two issuers apart: no two have the same URL", async () => {
    await access().createIssuer({ issuerId: "github", issuer: { spec: github } });
    const gitlab = { ...github, url: "https://gitlab.acme.example" };
    await access().createIssuer({ issuerId: "gitlab", issuer: { spec: gitlab } });
    const { fields, message } = await refused(
      access().updateIssuer({ issuer: { name: "issuers/gitlab", spec: { url: github.url } } }),
      "FIELD_INVALID",
    );
    assert.deepEqual(fields, ["issuer.spec.url"]);
    assert.match(message, /is that of issuers\/github already/);
  });

  it("names the fields that are wrong", async () => {
    const { fields } = await refused(
      access().createIssuer({
        issuer: {
          spec: {
            url: "http://ci.example.com",
            audiences: [""],
            rules: [
              { condition: "ref.matches('a')", binding: rule.binding },
              { condition: "true" },
              { condition: "true", binding: { role: Role.UNSPECIFIED } },
            ],
          },
        },
      }),
      "FIELD_INVALID",
    );
    assert.deepEqual(fields, [
      "issuer.spec.url",
      "issuer.spec.audiences[0]",
      "issuer.spec.rules[0].condition",
      "issuer.spec.rules[1].binding",
      "issuer.spec.rules[2].binding.role",
    ]);
  });

  const urls: readonly (readonly [string, RegExp])[] = [
    ["", /must be a URL/],
    ["token.actions.githubusercontent.com", /must be a URL/],
    ["ftp://ci.example.com", /must begin with "https:\/\/"/],
    ["http://127.0.0.1.example.com", /must begin with "https:\/\/"/],
    ["https://user:password@ci.example.com", /must have no user and password/],
    ["https://ci.example.com/?x=1", /must have no "\?"/],
    [`https://ci.example.com/${"x".repeat(600)}`, /must have at most 512/],
  ];
  for (const [url, message] of urls) {
    it(`refuses ${url.slice(0, 40) || "no URL"}`, async () => {
      const refusal = await refused(access().createIssuer({ issuer: { spec: { ...github, url } } }), "FIELD_INVALID");
      assert.match(refusal.message, message);
    });
  }

  it("takes http on the server's own machine", async () => {
    for (const [id, url] of [
      ["a", "http://127.0.0.1:8080"],
      ["b", "http://[::1]:8080"],
      ["c", "http://localhost/auth"],
    ] as const) {
      await access().createIssuer({ issuerId: id, issuer: { spec: { ...github, url } } });
    }
  });

  it("refuses claims that are none", async () => {
    await access().createIssuer({ issuerId: "github", issuer: { spec: github } });
    for (const claimsJson of ["", "[]", "7", "{", "null", `{"a":"${"x".repeat(20_000)}"}`]) {
      await refused(access().explainIssuer({ name, claimsJson }), "FIELD_INVALID");
    }
    await refused(access().explainIssuer({ name: "issuers/none", claimsJson: "{}" }), "RESOURCE_NOT_FOUND");
  });
});
