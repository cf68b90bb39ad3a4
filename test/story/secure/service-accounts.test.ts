import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { openTransport } from "../../../cli/connection.ts";
import { required } from "../../../shared/assert.ts";
import { AccessService } from "../../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { Role } from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { type Ran, runAlone } from "../../support/cli/meridian.ts";
import { openWatch } from "../../support/secure/open-watch.ts";
import { SecurePool } from "../../support/secure/secure-pool.ts";
import { refusalOf } from "../../support/server/served-api.ts";

describe("a service account of a secure server", () => {
  let pool: SecurePool;
  let transports: { readonly close: () => void }[];
  beforeEach(async () => {
    pool = await SecurePool.start();
    transports = [];
  });
  afterEach(async () => {
    for (const { close } of transports) close();
    await pool.close();
  });

  /** A verb, as the operator or with a token. */
  async function meridian(line: string, token?: string): Promise<Ran> {
    const environment = {
      MERIDIAN_SERVER: pool.server.addresses.grpc,
      MERIDIAN_CA_FILE: join(pool.dataDir, "tls", "ca.pem"),
      MERIDIAN_TOKEN: token ?? (await pool.token()),
    };
    return runAlone(line.split(" "), { environment });
  }

  async function makeToken(flags: string): Promise<string> {
    const { exitCode, out, err } = await meridian(`token create --service-account ci ${flags}`);
    assert.equal(exitCode, 0, err);
    return out.trim();
  }

  async function transportOf(token: string) {
    const trust = { kind: "tls", ca: await pool.ca() } as const;
    const opened = openTransport({ server: pool.server.addresses.grpc, token, timeoutMs: 10_000, trust });
    transports.push(opened);
    return opened.transport;
  }

  const watchWith = async (token: string) => openWatch(await transportOf(token), await pool.transport());

  it("comes with a token, does what its role allows, and is sent away when the token is revoked", async () => {
    const token = await makeToken("--role user --project acme --ttl 90d");
    const me = await meridian("whoami", token);
    assert.match(me.out, /serviceAccounts\/ci\n.*token of a service account\n[^]*user in acme\n[^]*90d/);
    const denied = await meridian("host cordon mac-1", token);
    assert.equal(denied.exitCode, 4);
    assert.match(denied.err, /serviceAccounts\/ci needs the role operator everywhere for this; an admin can give it/);
    const elsewhere = await meridian("vm create --template golden --project other", token);
    assert.equal(elsewhere.exitCode, 4);
    assert.match(elsewhere.err, /needs the role user in project other/);
    assert.equal((await meridian("vm create --template golden --project acme", token)).exitCode, 3, "no such template");
    const { ended } = await watchWith(token);
    const listed = await meridian("token list --service-account ci --json");
    const { tokens } = JSON.parse(listed.out) as { tokens: { name: string; status: { lastUseTime?: string } }[] };
    assert.ok(tokens[0]?.status.lastUseTime !== undefined, "its use was noted");
    assert.equal(
      (await meridian(`token revoke ${tokens[0].name.replace("tokens/", "")}`)).out,
      `${tokens[0].name} revoked\n`,
    );
    assert.equal(await ended, "CREDENTIALS_INVALID");
    const after = await meridian("vm list", token);
    assert.equal(after.exitCode, 4);
    assert.match(after.err, /token is not known here: it was revoked/);
  });

  it("is told what changed when it is disabled or given other roles under an open watch", async () => {
    const token = await makeToken("--role viewer@acme --role user@web");
    const first = await watchWith(token);
    assert.equal((await meridian("account update ci --role viewer@acme")).exitCode, 0);
    assert.equal(await first.ended, "ACCESS_CHANGED");
    const second = await watchWith(token);
    assert.equal((await meridian("account update ci --disable")).exitCode, 0);
    assert.equal(await second.ended, "CREDENTIALS_INVALID");
    const disabled = await meridian("whoami", token);
    assert.equal(disabled.exitCode, 4);
    assert.match(disabled.err, /serviceAccounts\/ci is disabled/);
    assert.equal((await meridian("account update ci --enable")).exitCode, 0);
    assert.equal((await meridian("whoami", token)).exitCode, 0);
  });

  it("outlives a restart of the server, with a token that replaces another one after an overlap", async () => {
    const first = await makeToken("--role viewer");
    const second = await makeToken("--others-end-in 1h");
    await pool.restart();
    for (const token of [first, second]) assert.equal((await meridian("whoami", token)).exitCode, 0);
    const { tokens } = await createClient(AccessService, await transportOf(await pool.token())).listTokens({
      orderBy: "status.expire_time",
    });
    const lives = tokens.map(({ spec }) => Number(required(spec?.ttl, "ttl").seconds) / 3600);
    assert.ok(Math.abs((lives[0] ?? 0) - 1) < 0.1, `ends in ${lives[0]} h`);
    assert.equal(lives[1], 90 * 24);
    await makeToken("--others-end-in 0s");
    assert.equal((await meridian("whoami", first)).exitCode, 4);
  });

  it("gives no account away: neither with a cut token, nor to one that is no admin", async () => {
    const token = await makeToken("--role operator");
    const cut = await meridian("whoami", token.slice(0, -3));
    assert.equal(cut.exitCode, 4);
    assert.match(cut.err, /cut or altered/);
    const access = createClient(AccessService, await transportOf(token));
    for (const call of [
      () => access.createServiceAccount({ serviceAccount: { spec: { bindings: [{ role: Role.ADMIN }] } } }),
      () => access.updateServiceAccount({ serviceAccount: { name: "serviceAccounts/ci" } }),
      () => access.createToken({ token: { spec: { serviceAccount: "serviceAccounts/ci" } } }),
      () => access.listTokens({}),
    ]) {
      const error: unknown = await call().then(
        () => undefined,
        (rejection: unknown) => rejection,
      );
      assert.equal(refusalOf(error).reason, "ROLE_MISSING");
    }
  });
});
