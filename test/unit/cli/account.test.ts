import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import type {
  CreateServiceAccountRequest,
  CreateTokenRequest,
  ListTokensRequest,
  UpdateServiceAccountRequest,
} from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import {
  Role,
  type ServiceAccount,
  ServiceAccountSchema,
  type Token,
  TokenSchema,
  TokenStatus_State,
} from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { runAgainst } from "../../support/cli/meridian.ts";
import { before } from "../../support/cli/samples.ts";
import { refusal } from "../../support/cli/scripted-server.ts";

const account = (): ServiceAccount =>
  create(ServiceAccountSchema, {
    name: "serviceAccounts/ci",
    spec: { description: "builds", bindings: [{ role: Role.USER, project: "acme" }, { role: Role.VIEWER }] },
    status: { tokenCount: 2 },
    createTime: before(3600),
  });
const token = (): Token =>
  create(TokenSchema, {
    name: "tokens/token-abc",
    spec: { serviceAccount: "serviceAccounts/ci" },
    status: { state: TokenStatus_State.ACTIVE },
    createTime: before(60),
  });
const absent = (): never => {
  throw refusal("RESOURCE_NOT_FOUND", "serviceAccounts/ci does not exist", {
    metadata: { resource: "serviceAccounts/ci" },
  });
};
const rolesOf = (spec: ServiceAccount["spec"]): unknown => spec?.bindings.map(({ role, project }) => [role, project]);

describe("meridian account", () => {
  it("create and update send roles with their projects", async () => {
    const requests: (CreateServiceAccountRequest | UpdateServiceAccountRequest)[] = [];
    const keep = (request: CreateServiceAccountRequest | UpdateServiceAccountRequest) => {
      requests.push(request);
      return { serviceAccount: account() };
    };
    const access = { createServiceAccount: keep, updateServiceAccount: keep };
    const line = "account create --id ci --role user --role viewer@web --project projects/acme";
    assert.equal((await runAgainst({ access }, line.split(" "))).out, "serviceAccounts/ci\n");
    assert.deepEqual(rolesOf(requests[0]?.serviceAccount?.spec), [
      [Role.USER, "acme"],
      [Role.VIEWER, "web"],
    ]);
    await runAgainst({ access }, "account update ci --disable --role admin".split(" "));
    await runAgainst({ access }, "account update ci --no-roles --enable".split(" "));
    const masks = requests.slice(1).map((request) => "updateMask" in request && request.updateMask?.paths);
    assert.deepEqual(masks, [
      ["spec.bindings", "spec.disabled"],
      ["spec.bindings", "spec.disabled"],
    ]);
    assert.deepEqual(
      requests.slice(1).map(({ serviceAccount }) => [rolesOf(serviceAccount?.spec), serviceAccount?.spec?.disabled]),
      [
        [[[Role.ADMIN, ""]], true],
        [[], false],
      ],
    );
    const { exitCode, err } = await runAgainst({ access }, ["account", "update", "ci", "--role", "root"]);
    assert.equal(exitCode, 2);
    assert.match(err, /root is no role. Roles are viewer, user, operator, admin/);
    assert.equal((await runAgainst({ access }, ["account", "update", "ci"])).exitCode, 2);
  });

  it("list and get show roles in words", async () => {
    const access = {
      listServiceAccounts: () => ({ serviceAccounts: [account()] }),
      getServiceAccount: () => ({ serviceAccount: account() }),
    };
    const listed = await runAgainst({ access }, ["account", "list"]);
    assert.match(listed.out, /^ci +ENABLED +2 .*user in acme, viewer everywhere +builds$/m);
    const shown = await runAgainst({ access }, ["account", "get", "ci"]);
    assert.match(shown.out, /Roles +user in acme, viewer everywhere/);
  });
});

describe("meridian token create --service-account", () => {
  const requests: CreateTokenRequest[] = [];
  const createToken = (request: CreateTokenRequest) => {
    requests.push(request);
    return { token: token(), secret: "mst1.token-abc.s.c" };
  };
  beforeEach(() => requests.splice(0));

  it("prints the secret alone on standard output, and takes an account that is there as it is", async () => {
    const access = { getServiceAccount: () => ({ serviceAccount: account() }), createToken };
    const line = "token create --service-account ci --role user --project acme --ttl 30d --others-end-in 1d";
    const { out, err, calls } = await runAgainst({ access }, line.split(" "));
    assert.equal(out, "mst1.token-abc.s.c\n");
    assert.match(err, /tokens\/token-abc of serviceAccounts\/ci \(user in acme, viewer everywhere\).*shown this once/);
    assert.deepEqual(
      calls.map(({ name }) => name),
      ["GetServiceAccount", "CreateToken"],
    );
    assert.equal(requests[0]?.token?.spec?.ttl?.seconds, 30n * 86_400n);
    assert.equal(requests[0]?.othersEndIn?.seconds, 86_400n);
  });

  it("makes the account if roles are given, and else says how", async () => {
    const made: CreateServiceAccountRequest[] = [];
    const access = {
      getServiceAccount: absent,
      createServiceAccount: (request: CreateServiceAccountRequest) => {
        made.push(request);
        return { serviceAccount: account() };
      },
      createToken,
    };
    const without = await runAgainst({ access }, "token create --service-account ci".split(" "));
    assert.equal(without.exitCode, 3);
    assert.match(without.err, /serviceAccounts\/ci does not exist. Give it roles/);
    assert.equal(made.length, 0);
    const withRole = await runAgainst({ access }, "token create --service-account ci --role user@acme".split(" "));
    assert.equal(withRole.exitCode, 0, withRole.err);
    assert.equal(made[0]?.serviceAccountId, "ci");
    assert.deepEqual(rolesOf(made[0]?.serviceAccount?.spec), [[Role.USER, "acme"]]);
  });

  it("gives an account that is there no further role", async () => {
    const access = { getServiceAccount: () => ({ serviceAccount: account() }), createToken };
    const { exitCode, err } = await runAgainst({ access }, "token create --service-account ci --role admin".split(" "));
    assert.equal(exitCode, 2);
    assert.match(err, /has other roles: user in acme, viewer everywhere.*account update ci --role/);
    assert.equal(requests.length, 0);
  });

  it("takes no flags of the other kind of token, and says that one of both is wanted", async () => {
    for (const line of [
      "token create",
      "token create --join --service-account ci",
      "token create --service-account ci --uses 3",
      "token create --join --role user",
    ]) {
      assert.equal((await runAgainst({}, line.split(" "))).exitCode, 2, line);
    }
  });
});

describe("meridian token list and revoke", () => {
  it("know tokens of accounts from those of Macs", async () => {
    const filters: string[] = [];
    const revoked: string[] = [];
    const access = {
      listTokens: (request: ListTokensRequest) => {
        filters.push(request.filter);
        return { tokens: [token()] };
      },
      revokeToken: ({ name }: { readonly name: string }) => {
        revoked.push(name);
        return {};
      },
      revokeJoinToken: ({ name }: { readonly name: string }) => {
        revoked.push(name);
        return { joinToken: { name } };
      },
    };
    const listed = await runAgainst({ access }, "token list --service-account ci --filter a=b".split(" "));
    assert.match(listed.out, /^token-abc +ci +ACTIVE/m);
    await runAgainst({ access }, "token list --service-accounts".split(" "));
    assert.deepEqual(filters, ['spec.service_account = "serviceAccounts/ci" AND (a=b)', ""]);
    await runAgainst({ access }, "token revoke token-abc tokens/x join-a joinTokens/token-b".split(" "));
    assert.deepEqual(revoked, ["tokens/token-abc", "tokens/x", "joinTokens/join-a", "joinTokens/token-b"]);
  });
});
