import assert from "node:assert/strict";
import { createPublicKey, type KeyObject } from "node:crypto";
import { type Client, createClient } from "@connectrpc/connect";
import { SignJWT } from "jose";
import { openTransport } from "../../../cli/connection.ts";
import { defaultKeyTuning } from "../../../server/access/oidc/issuer-keys.ts";
import { AccessService } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { TemplateService } from "../../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmStatus_State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { until } from "../../support/e2e/until.ts";
import { type Answer, TestIssuer, testAudience } from "../../support/oidc/test-issuer.ts";
import { goldenSpec, openWatch } from "../../support/secure/open-watch.ts";
import { SecurePool } from "../../support/secure/secure-pool.ts";
import { type Refusal, refusalOf } from "../../support/server/served-api.ts";

/** No cooldown and no pause: a test that is about them sets its own. */
const eager = { ...defaultKeyTuning, cooldownMs: 0, pauseMs: 0 };

const mainRule = {
  condition: 'repository == "acme/app" && ref == "refs/heads/main"',
  binding: { role: Role.USER, project: "acme" },
};

describe("a job that comes with a token of its build system", () => {
  let issuer: TestIssuer;
  let pool: SecurePool;
  let access: Client<typeof AccessService>;
  let transports: { readonly close: () => void }[];

  async function begin(issuerKeys = eager): Promise<void> {
    pool = await SecurePool.start({ issuerKeys });
    access = await pool.access();
    await access.createIssuer({
      issuerId: "ci",
      issuer: { spec: { url: issuer.url, audiences: [testAudience], rules: [mainRule] } },
    });
  }

  beforeEach(async () => {
    transports = [];
    issuer = await TestIssuer.start();
  });
  afterEach(async () => {
    for (const { close } of transports) close();
    await pool.close();
    await issuer.close();
  });

  async function transportOf(token: string) {
    const trust = { kind: "tls", ca: await pool.ca() } as const;
    const opened = openTransport({ server: pool.server.addresses.grpc, token, timeoutMs: 10_000, trust });
    transports.push(opened);
    return opened.transport;
  }

  async function whoIs(token: string) {
    return await createClient(AccessService, await transportOf(token)).whoAmI({});
  }

  /** Why a token is not taken. */
  async function refusal(token: string): Promise<Refusal> {
    try {
      const { principal } = await whoIs(token);
      return assert.fail(`${principal} was let in`);
    } catch (error) {
      return refusalOf(error);
    }
  }

  const watchWith = async (token: string) => openWatch(await transportOf(token), await pool.transport());

  it("gets a VM in its project, with no secret stored anywhere, and steers it again after a restart", async () => {
    await begin();
    pool.startAgent(await pool.enrol("mac-1"));
    await until("mac-1 is ready", async () => (await pool.host("mac-1"))?.status?.placeable === true);
    const templates = createClient(TemplateService, await pool.transport());
    await templates.createTemplate({
      templateId: "golden",
      template: { spec: goldenSpec },
    });
    const job = await whoIs(await issuer.token());
    assert.equal(job.principal, "issuers/ci/subjects/repo:acme/app:ref:refs/heads/main");
    assert.equal(job.authentication, "oidc");
    assert.deepEqual(
      job.bindings.map(({ role, project }) => ({ role, project })),
      [{ role: Role.USER, project: "acme" }],
    );
    const vms = createClient(VmService, await transportOf(await issuer.token()));
    const spec = { template: "templates/golden", project: "acme" };
    await vms.createVm({ vmId: "build-7", vm: { spec } });
    const { vm } = await vms.waitVm({ name: "vms/build-7", states: [VmStatus_State.RUNNING] });
    assert.equal(vm?.status?.host, "hosts/mac-1");
    const elsewhere = await vms.createVm({ vm: { spec: { ...spec, project: "other" } } }).catch(refusalOf);
    assert.equal("reason" in elsewhere && elsewhere.reason, "ROLE_MISSING");
    await pool.restart();
    // Another token of the same job: it is the same caller, and the VM its own.
    const later = createClient(VmService, await transportOf(await issuer.token()));
    await later.deleteVm({ name: "vms/build-7" });
  });

  it("is let in with a key that came since, and no longer with one that was taken back", async () => {
    await begin({ ...eager, ageMaxMs: 0 });
    const before = await issuer.token();
    await whoIs(before);
    await issuer.addKey("ES256");
    await whoIs(await issuer.token());
    await whoIs(before);
    issuer.dropOldKeys();
    await whoIs(await issuer.token());
    assert.match((await refusal(before)).message, /signed with a key that its issuer does not have now/);
  });

  describe("is refused, and told why,", () => {
    beforeEach(() => begin());

    const seconds = (offset: number): number => Math.floor(Date.now() / 1000) + offset;
    const wrong: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
      ["for another audience", { aud: "vault.example.com" }, /it is for "vault\.example\.com", and only \["meridian/],
      ["without an audience", { aud: undefined }, /it has no `aud`/],
      [
        "of an issuer that is not known",
        { iss: "https://evil.example.com" },
        /no issuer of this pool is "https:\/\/evil/,
      ],
      ["of no issuer", { iss: undefined }, /is none that names its issuer/],
      ["that has expired", { exp: seconds(-60) }, /it expired on 2/],
      ["that is not good yet", { nbf: seconds(3600), exp: seconds(7200) }, /it is not good before 2/],
      ["without an end", { exp: undefined }, /it has no `exp`/],
      ["with an end that is no time", { exp: "tomorrow" }, /its `exp` is not as it should be/],
      ["without a subject", { sub: undefined }, /it has no `sub`/],
      ["with an empty subject", { sub: "" }, /does not say who its holder is/],
      ["with a subject of any length", { sub: "x".repeat(300) }, /longer than 255/],
      ["with a subject that cannot be shown", { sub: "a\nb" }, /not printable/],
    ];
    for (const [what, claims, message] of wrong) {
      it(`with a token ${what}`, async () => {
        const { reason, message: told } = await refusal(await issuer.token(claims));
        assert.match(told, message);
        assert.equal(reason, "CREDENTIALS_INVALID");
      });
    }

    it("with a clock that is a little off it is let in", async () => {
      await whoIs(await issuer.token({ exp: seconds(-20) }));
      await whoIs(await issuer.token({ nbf: seconds(20) }));
    });

    it("with a key that the issuer never had", async () => {
      const other = await TestIssuer.start();
      try {
        const unknown = await issuer.token({}, { key: other.newestKey, header: { kid: "unknown" } });
        assert.match((await refusal(unknown)).message, /signed with a key that its issuer does not have now/);
        const forged = await issuer.token({}, { key: other.newestKey });
        assert.match((await refusal(forged)).message, /its signature is wrong/);
      } finally {
        await other.close();
      }
    });

    it("without a signature, or with claims that were changed under one", async () => {
      const [header = "", claims = "", signature = ""] = (await issuer.token()).split(".");
      const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
      for (const alg of ["none", "None", "NONE"]) {
        const unsigned = await refusal(`${encode({ alg, typ: "JWT" })}.${claims}.`);
        assert.match(unsigned.message, /signed by a method that is not taken/);
      }
      const richer = encode({ ...issuer.claims(), ref: "refs/heads/main", repository: "acme/app", sub: "root" });
      assert.match((await refusal(`${header}.${richer}.${signature}`)).message, /its signature is wrong/);
      assert.match((await refusal(`${header}.${claims}.${signature.slice(0, -4)}`)).message, /its signature is wrong/);
      assert.match((await refusal(`${header}.e30.${signature}`)).message, /is none that names its issuer/);
      assert.match((await refusal(`eyJ.${claims}.${signature}`)).message, /cannot be read/);
    });

    it("with the issuer's public key used as a secret", async () => {
      const { id: kid, publicJwk } = issuer.newestKey;
      const publicKey: KeyObject = createPublicKey({ key: publicJwk, format: "jwk" });
      const secret = Buffer.from(publicKey.export({ type: "spki", format: "pem" }));
      const swapped = await new SignJWT({ ...issuer.claims() }).setProtectedHeader({ alg: "HS256", kid }).sign(secret);
      assert.match((await refusal(swapped)).message, /signed by a method that is not taken/);
    });

    it("for no rule that holds", async () => {
      const { reason, message } = await refusal(await issuer.token({ ref: "refs/heads/dev" }));
      assert.equal(reason, "ROLE_MISSING");
      assert.match(
        message,
        /no rule of issuers\/ci holds for issuers\/ci\/subjects\/repo:acme\/app.*issuer explain ci/,
      );
    });

    it("while the issuer is disabled, and once it is deleted", async () => {
      const token = await issuer.token();
      await access.updateIssuer({ issuer: { name: "issuers/ci", spec: { disabled: true } } });
      assert.match((await refusal(token)).message, /issuers\/ci is disabled/);
      await access.updateIssuer({
        issuer: { name: "issuers/ci", spec: { disabled: false } },
        updateMask: { paths: ["spec.disabled"] },
      });
      await whoIs(token);
      await access.deleteIssuer({ name: "issuers/ci" });
      assert.match((await refusal(token)).message, /no issuer of this pool is/);
    });
  });

  describe("whose issuer does not do as it should", () => {
    const discovery = "/.well-known/openid-configuration";
    const failures: readonly (readonly [string, path: string, (url: string) => Answer, RegExp])[] = [
      ["answers with an error", "/keys", () => ({ status: 503, body: "{}" }), /it answered with 503/],
      ["has moved", discovery, (url) => ({ status: 302, headers: { location: `${url}/keys` }, body: "" }), /with 302/],
      ["has no document", discovery, () => ({ status: 404, body: "" }), /it answered with 404/],
      ["answers with a page", discovery, () => ({ body: "<html>" }), /with no JSON object/],
      ["answers for ever", "/keys", () => ({ body: `"${"x".repeat(300_000)}"` }), /longer than 262144 bytes/],
      ["has keys that are none", "/keys", () => ({ body: '{"keys":7}' }), /has no keys that can be read/],
      ["is another one", discovery, () => ({ body: '{"issuer":"https://other.example.com"}' }), /another issuer's/],
      [
        "hides its keys",
        discovery,
        (url) => ({ body: JSON.stringify({ issuer: url }) }),
        /does not say where its keys/,
      ],
      [
        "has its keys in the open",
        discovery,
        (url) => ({ body: JSON.stringify({ issuer: url, jwks_uri: "http://keys.example.com/" }) }),
        /where anybody could change them/,
      ],
    ];
    for (const [what, path, answer, message] of failures) {
      it(`is told that it ${what}, and let in afterwards`, async () => {
        await begin();
        issuer.answers.set(path, answer(issuer.url));
        const token = await issuer.token();
        const refused = await refusal(token);
        assert.equal(refused.reason, "ISSUER_UNAVAILABLE", refused.message);
        assert.match(refused.message, message);
        issuer.answers.clear();
        await whoIs(token);
      });
    }

    it("is told that it is down; the issuer is asked once for all tokens that come meanwhile", async () => {
      await begin({ ...eager, pauseMs: 60_000 });
      issuer.answers.set(discovery, { status: 500, body: "{}" });
      for (let i = 0; i < 20; i += 1) assert.equal((await refusal(await issuer.token())).reason, "ISSUER_UNAVAILABLE");
      assert.deepEqual(issuer.asked, [discovery]);
    });

    it("is no longer let in on keys that are too old, if there are no newer ones to be had", async () => {
      await begin({ ...eager, ageMaxMs: 0 });
      const token = await issuer.token();
      await whoIs(token);
      await issuer.close();
      const { reason, message } = await refusal(token);
      assert.equal(reason, "ISSUER_UNAVAILABLE");
      assert.match(message, /it cannot be reached/);
    });
  });

  it("asks for keys once, however many tokens come, known or not", async () => {
    await begin(defaultKeyTuning);
    const other = await TestIssuer.start();
    await Promise.all(Array.from({ length: 20 }, async () => whoIs(await issuer.token())));
    // More would be failed logins enough to be held back.
    for (let i = 0; i < 5; i += 1) {
      const header = { kid: `unknown-${i}` };
      assert.match(
        (await refusal(await issuer.token({}, { key: other.newestKey, header }))).message,
        /does not have now/,
      );
    }
    await other.close();
    assert.deepEqual(issuer.asked, ["/.well-known/openid-configuration", "/keys"]);
  });

  it("is told when its rights change under an open watch, and when they end", async () => {
    await begin();
    const token = await issuer.token();
    const first = await watchWith(token);
    const second = { ...mainRule, binding: { role: Role.OPERATOR, project: "acme" } };
    await access.updateIssuer({ issuer: { name: "issuers/ci", spec: { rules: [second] } } });
    assert.equal(await first.ended, "ACCESS_CHANGED");
    const last = await watchWith(token);
    await access.deleteIssuer({ name: "issuers/ci" });
    assert.equal(await last.ended, "CREDENTIALS_INVALID");
  });

  it("loses its watch when its token ends", async () => {
    await begin();
    const { ended } = await watchWith(await issuer.token({ exp: Math.floor(Date.now() / 1000) - 28 }));
    assert.equal(await ended, "CREDENTIALS_INVALID");
  });

  it("keeps its watch when a rule changes that is not about it, and loses it then too", async () => {
    await begin();
    // Good for 2 s more, with what clocks may differ.
    const { ended } = await watchWith(await issuer.token({ exp: Math.floor(Date.now() / 1000) - 28 }));
    const other = { condition: 'repository == "acme/web"', binding: { role: Role.VIEWER, project: "web" } };
    await access.updateIssuer({ issuer: { name: "issuers/ci", spec: { rules: [mainRule, other] } } });
    assert.equal(await ended, "CREDENTIALS_INVALID");
  });

  it("is explained to whoever writes the rules", async () => {
    await begin();
    const claims = { ...issuer.claims(), ref: "refs/heads/dev", aud: ["other"] };
    const explained = await access.explainIssuer({ name: "issuers/ci", claimsJson: JSON.stringify(claims) });
    assert.deepEqual(
      explained.rules.map(({ holds, problem }) => ({ holds, problem })),
      [{ holds: false, problem: "" }],
    );
    assert.deepEqual(explained.problems, [`\`aud\` names none of ["${testAudience}"]`]);
    assert.equal(explained.principal, "issuers/ci/subjects/repo:acme/app:ref:refs/heads/main");
    const good = await access.explainIssuer({ name: "issuers/ci", claimsJson: JSON.stringify(issuer.claims()) });
    assert.deepEqual(good.problems, []);
    assert.equal(good.bindings[0]?.project, "acme");
    const whole = await access.explainIssuer({ name: "issuers/ci", claimsJson: await issuer.token() }).catch(refusalOf);
    assert("message" in whole);
    assert.match(whole.message, /the claims alone, not the token/);
  });
});
