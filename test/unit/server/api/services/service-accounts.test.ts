import assert from "node:assert/strict";
import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { parseClientToken } from "../../../../../shared/client-token.ts";
import { AccessService } from "../../../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { Role, TokenStatus_State } from "../../../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { asTokenId } from "../../../../../shared/ids.ts";
import { fronts, refused, ServedApi } from "../../../../support/server/served-api.ts";

/** Of a newer client. */
const unknownRole: number = 99;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

describe("AccessService, for service accounts", () => {
  let api: ServedApi;
  beforeEach(async () => {
    api = await ServedApi.open();
  });
  afterEach(() => api.close());

  const access = (): ReturnType<typeof api.client<typeof AccessService>> => api.client(AccessService);
  const ci = {
    description: "the build system",
    bindings: [{ role: Role.USER, project: "acme" }, { role: Role.VIEWER }],
  };
  const account = "serviceAccounts/ci";

  for (const front of fronts) {
    it(`makes, shows, lists, changes and deletes them, and their tokens, over ${front}`, async () => {
      const client = api.client(AccessService, front);
      const made = await client.createServiceAccount({ serviceAccountId: "ci", serviceAccount: { spec: ci } });
      assert.equal(made.serviceAccount?.name, account);
      const got = await client.getServiceAccount({ name: account });
      assert.deepEqual(got.serviceAccount, made.serviceAccount);
      assert.deepEqual(
        got.serviceAccount?.spec?.bindings.map(({ role, project }) => [role, project]),
        [
          [Role.USER, "acme"],
          [Role.VIEWER, ""],
        ],
      );
      const { token, secret } = await client.createToken({ token: { spec: { serviceAccount: account } } });
      const parsed = parseClientToken(secret);
      assert.ok("id" in parsed && `tokens/${parsed.id}` === token?.name);
      assert.equal(token?.status?.state, TokenStatus_State.ACTIVE);
      const { tokens } = await client.listTokens({ filter: `spec.service_account = "${account}"` });
      assert.deepEqual(tokens, [token]);
      const [listed] = (await client.listServiceAccounts({ filter: "status.token_count = 1" })).serviceAccounts;
      assert.equal(listed?.name, account);
      const changed = await client.updateServiceAccount({
        serviceAccount: { name: account, etag: listed.etag, spec: { disabled: true } },
        updateMask: { paths: ["spec.disabled"] },
      });
      assert.equal(changed.serviceAccount?.spec?.disabled, true);
      assert.equal(changed.serviceAccount.spec.bindings.length, 2);
      assert.equal(changed.serviceAccount.generation, 2n);
      await client.revokeToken({ name: token.name, etag: token.etag });
      assert.deepEqual((await client.listTokens({})).tokens, []);
      await client.deleteServiceAccount({ name: account, etag: changed.serviceAccount.etag });
      await refused(client.getServiceAccount({ name: account }), "RESOURCE_NOT_FOUND");
      const me = await client.whoAmI({});
      assert.deepEqual(
        [me.principal, me.authentication, me.address, me.bindings.map(({ role }) => role), me.expireTime],
        ["insecure", "none", "127.0.0.1", [Role.ADMIN], undefined],
      );
    });
  }

  it("keeps of a token what no secret can be found in", async () => {
    await access().createServiceAccount({ serviceAccountId: "ci", serviceAccount: { spec: ci } });
    const { secret } = await access().createToken({ token: { spec: { serviceAccount: account } } });
    const parsed = parseClientToken(secret);
    assert("id" in parsed);
    const changes = api.driver.batches.flatMap((batch) => batch.changes);
    const text = JSON.stringify(changes);
    assert.ok(text.includes(parsed.id), "the token is stored");
    assert.ok(!text.includes(parsed.secret), "its secret is not");
  });

  it("answers a repeated create with the token that it made, and without its secret", async () => {
    await access().createServiceAccount({ serviceAccountId: "ci", serviceAccount: { spec: ci }, requestId: "a" });
    const again = await access().createServiceAccount({
      serviceAccountId: "ci",
      serviceAccount: { spec: ci },
      requestId: "a",
    });
    assert.equal(again.serviceAccount?.name, account);
    const request = { token: { spec: { serviceAccount: account } }, requestId: "r" };
    const first = await access().createToken(request);
    const second = await access().createToken(request);
    assert.equal(second.token?.uid, first.token?.uid);
    assert.notEqual(first.secret, "");
    assert.equal(second.secret, "");
    const other = { ...request, token: { spec: { serviceAccount: account, description: "another" } } };
    await refused(access().createToken(other), "REQUEST_ID_REUSED");
  });

  it("gives a token 90 days, or what is asked, and shortens the others when it takes their place", async () => {
    await access().createServiceAccount({ serviceAccountId: "ci", serviceAccount: { spec: ci } });
    const nowMs = api.driver.engine.nowMs();
    const endOf = async (name = ""): Promise<number> => {
      const { tokens } = await access().listTokens({});
      const { expireTime } = tokens.find((token) => token.name === name)?.status ?? {};
      return (expireTime === undefined ? Number.NaN : timestampMs(expireTime)) - nowMs;
    };
    const usual = await access().createToken({ token: { spec: { serviceAccount: account } } });
    const short = await access().createToken({
      token: { spec: { serviceAccount: account, ttl: durationFromMs(hourMs) } },
    });
    assert.deepEqual([await endOf(usual.token?.name), await endOf(short.token?.name)], [90 * dayMs, hourMs]);
    const next = await access().createToken({
      token: { spec: { serviceAccount: account } },
      othersEndIn: durationFromMs(2 * hourMs),
    });
    assert.deepEqual(
      [await endOf(usual.token?.name), await endOf(short.token?.name), await endOf(next.token?.name)],
      [2 * hourMs, hourMs, 90 * dayMs],
    );
  });

  it("names the fields that are wrong", async () => {
    const many = { role: Role.USER, project: "x".repeat(64) };
    const { fields } = await refused(
      access().createServiceAccount({
        serviceAccount: {
          spec: {
            description: "\u0007",
            bindings: [
              { role: unknownRole as Role },
              { role: Role.UNSPECIFIED },
              many,
              { role: Role.USER, project: "projects/a" },
            ],
          },
        },
      }),
      "FIELD_INVALID",
    );
    assert.deepEqual(fields, [
      "service_account.spec.description",
      "service_account.spec.bindings[0].role",
      "service_account.spec.bindings[1].role",
      "service_account.spec.bindings[2].project",
      "service_account.spec.bindings[3].project",
    ]);
    const spec = { bindings: Array.from({ length: 65 }, () => ({ role: Role.USER })) };
    await refused(access().createServiceAccount({ serviceAccount: { spec } }), "FIELD_INVALID");
    await refused(
      access().createServiceAccount({ serviceAccountId: "No", serviceAccount: { spec: ci } }),
      "FIELD_INVALID",
    );
    await refused(access().createServiceAccount({ serviceAccountId: "ci" }), "FIELD_INVALID");
    await refused(access().updateServiceAccount({ serviceAccount: { name: "vms/a" } }), "FIELD_INVALID");
    const token = await refused(
      access().createToken({
        token: { spec: { serviceAccount: "ci", ttl: durationFromMs(1000) } },
        othersEndIn: durationFromMs(-1),
      }),
      "FIELD_INVALID",
    );
    assert.deepEqual(token.fields, ["token.spec.service_account", "token.spec.ttl", "others_end_in"]);
    await refused(access().createToken({}), "FIELD_INVALID");
    await refused(access().createToken({ token: { spec: { serviceAccount: account } } }), "RESOURCE_NOT_FOUND");
    await refused(access().revokeToken({ name: "tokens/none" }), "RESOURCE_NOT_FOUND");
    await refused(access().deleteServiceAccount({ name: account }), "RESOURCE_NOT_FOUND");
  });

  it("refuses a change of what has changed", async () => {
    await access().createServiceAccount({ serviceAccountId: "ci", serviceAccount: { spec: ci } });
    await refused(
      access().createServiceAccount({ serviceAccountId: "ci", serviceAccount: { spec: ci } }),
      "RESOURCE_EXISTS",
    );
    const serviceAccount = { name: account, etag: '"old"', spec: ci };
    await refused(access().updateServiceAccount({ serviceAccount }), "ETAG_MISMATCH");
    await refused(access().deleteServiceAccount({ name: account, etag: '"old"' }), "ETAG_MISMATCH");
    const { token } = await access().createToken({ token: { spec: { serviceAccount: account } } });
    await api.driver.submit({ type: "tokens-used", uses: [{ id: asTokenId(token?.name.slice(7) ?? ""), timeMs: 1 }] });
    await refused(access().revokeToken({ name: token?.name ?? "", etag: token?.etag ?? "" }), "ETAG_MISMATCH");
  });
});
