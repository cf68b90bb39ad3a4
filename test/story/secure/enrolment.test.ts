import assert from "node:assert/strict";
import { type ServiceError, status } from "@grpc/grpc-js";
import { callEnrol, callRenew } from "../../../agent/identity/certificate-calls.ts";
import { EnrolmentRefused } from "../../../agent/identity/enrol.ts";
import type { Identity } from "../../../agent/identity/identity.ts";
import { createVolatileIdentityStore } from "../../../agent/identity/identity.ts";
import { makeCertificateRequest, makeKey } from "../../../agent/identity/key.ts";
import { TlsCredentials, type TlsIdentity } from "../../../agent/link/tls-credentials.ts";
import { JoinTokenStatus_State as State } from "../../../shared/gen/es/meridian/v1/join_token_pb.ts";
import { AgentServiceClient, Hello } from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { until } from "../../support/e2e/until.ts";
import { SecurePool } from "../../support/secure/secure-pool.ts";
import { refused } from "../../support/server/served-api.ts";

const never = new AbortController().signal;

function tlsOf({ ca, certificate, key }: Identity): TlsIdentity {
  return { ca, shown: { certificate, key } };
}

/** How the server ends a stream whose first message is a Hello of that host: a status, or the words of its Goodbye. */
function sayHello(server: string, identity: TlsIdentity, hostId: string): Promise<string> {
  const client = new AgentServiceClient(server, new TlsCredentials(identity));
  return new Promise<string>((resolve) => {
    const call = client.connect();
    call.on("data", ({ payload }) => {
      if (payload?.$case === "welcome") resolve("welcome");
      if (payload?.$case === "goodbye") resolve(payload.goodbye.reason);
    });
    call.on("error", (error: ServiceError) => resolve(`${status[error.code]} ${error.details.split(":")[0]}`));
    call.on("end", () => resolve("end"));
    call.write({
      sequence: 1,
      payload: {
        $case: "hello",
        hello: Hello.fromPartial({
          protocolVersion: 1,
          hostId,
          bootId: "b",
          agentRunId: "r",
          facts: { architecture: "arm64" },
          inventory: { sequence: 1, whole: true },
          heartbeat: {},
        }),
      },
    });
  }).finally(() => client.close());
}

describe("enrolment", () => {
  let pool: SecurePool;
  before(async () => {
    pool = await SecurePool.start();
  });
  after(() => pool.close());

  const agentPort = (): string => pool.server.addresses.agent;
  const isConnected = async (id: string): Promise<boolean> => (await pool.host(id))?.status?.placeable === true;

  it("gives a Mac a certificate of its own host, with the token's labels, and lets it in", async () => {
    const { token, answer } = await pool.makeToken({ labels: { team: "ios" } });
    const enrolled = await pool.enrol("mac-a", token);
    pool.startAgent(enrolled);
    await until("mac-a", () => isConnected("mac-a"));
    const host = await pool.host("mac-a");
    assert.deepEqual(host?.spec?.labels, { team: "ios" });
    assert.match(host?.status?.certificate?.fingerprint ?? "", /^sha256:[0-9a-f]{64}$/);
    const { joinToken } = await (await pool.access()).getJoinToken({ name: answer.joinToken?.name ?? "" });
    assert.deepEqual([joinToken?.status?.state, joinToken?.status?.useCount], [State.SPENT, 1]);
  });

  it("lets nobody in with a token that is used up, revoked, altered, or for other hosts", async () => {
    const { token, answer } = await pool.makeToken({ maxUses: 2, hostPattern: "build-*" });
    const refusedWith = (id: string, given: typeof token, expected: RegExp): Promise<void> =>
      assert.rejects(
        pool.enrol(id, given),
        (error) => error instanceof EnrolmentRefused && expected.test(error.message),
      );
    await refusedWith("mac-b", token, /for hosts named build-\*/);
    await refusedWith("build-1", { ...token, secret: "x" }, /no such join token/);
    await refusedWith("build-1", { ...token, id: "join-other" }, /no such join token/);
    await pool.enrol("build-1", token);
    await refusedWith("build-1", token, /is enrolled and has a certificate/);
    await (await pool.access()).revokeJoinToken({ name: answer.joinToken?.name ?? "" });
    await refusedWith("build-2", token, /was revoked/);
    const spent = (await pool.makeToken()).token;
    await pool.enrol("mac-c", spent);
    await refusedWith("mac-d", spent, /used as often as it may be/);
  });

  it("costs one use of the token, however often the same agent asks because the answer was lost", async () => {
    const { token, answer } = await pool.makeToken({ maxUses: 1 });
    const store = createVolatileIdentityStore();
    const key = await store.pendingKey(makeKey);
    const certificateRequest = await makeCertificateRequest(key);
    const call = { joinTokenId: token.id, secret: token.secret, hostId: "mac-e", certificateRequest, signal: never };
    await callEnrol(agentPort(), { ca: [await pool.ca()] }, call);
    // The agent never heard of it, and begins anew with what it has kept.
    const { identity } = await pool.enrol("mac-e", token, store);
    assert.equal(identity.key, key);
    const { joinToken } = await (await pool.access()).getJoinToken({ name: answer.joinToken?.name ?? "" });
    assert.equal(joinToken?.status?.useCount, 1);
    // Another key is another Mac.
    await assert.rejects(pool.enrol("mac-e", token), EnrolmentRefused);
  });

  it("answers nothing but Enroll to whoever shows no certificate, or one of another pool", async () => {
    const other = await SecurePool.start();
    try {
      const foreign = tlsOf((await other.enrol("mac-a")).identity);
      const ca = [await pool.ca()];
      for (const identity of [{ ca }, { ...foreign, ca }]) {
        assert.equal(await sayHello(agentPort(), identity, "mac-a"), "UNAUTHENTICATED CertificateMissing");
        const certificateRequest = await makeCertificateRequest(await makeKey());
        await assert.rejects(
          callRenew(agentPort(), identity, { certificateRequest, signal: never }),
          (error: ServiceError) => error.code === status.UNAUTHENTICATED,
        );
      }
    } finally {
      await other.close();
    }
  });

  it("is for the one host alone: no other can be claimed with its certificate", async () => {
    const { identity } = await pool.enrol("mac-f");
    assert.equal(await sayHello(agentPort(), tlsOf(identity), "mac-a"), "PERMISSION_DENIED HostMismatch");
    assert.equal(await sayHello(agentPort(), tlsOf(identity), "mac-f"), "welcome");
  });

  it("refuses requests that are no requests, or were not signed with the key in them", async () => {
    const { token } = await pool.makeToken();
    const good = await makeCertificateRequest(await makeKey());
    const forged = Buffer.from(good);
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
    for (const certificateRequest of [
      Buffer.alloc(0),
      Buffer.from("nonsense"),
      Buffer.alloc(5000, 1),
      forged,
      good.subarray(3),
    ]) {
      const call = { joinTokenId: token.id, secret: token.secret, hostId: "mac-g", certificateRequest, signal: never };
      await assert.rejects(
        callEnrol(agentPort(), { ca: [await pool.ca()] }, call),
        (error: ServiceError) => error.code === status.INVALID_ARGUMENT,
      );
    }
  });

  it("ends at once when the host is revoked: the open session too, and the next ones, until it enrols anew", async () => {
    const enrolled = await pool.enrol("mac-h");
    pool.startAgent(enrolled);
    await until("mac-h", () => isConnected("mac-h"));
    const hosts = await pool.hosts();
    const { host } = await hosts.revokeHost({ name: "hosts/mac-h" });
    assert.equal(host?.status?.certificate, undefined);
    assert.ok(host?.status?.revokeTime !== undefined);
    await until("the session to end", async () => !(await isConnected("mac-h")));
    assert.equal(await sayHello(agentPort(), tlsOf(enrolled.identity), "mac-h"), "HostRevoked");
    const certificateRequest = await makeCertificateRequest(await makeKey());
    await assert.rejects(
      callRenew(agentPort(), tlsOf(enrolled.identity), { certificateRequest, signal: never }),
      (error: ServiceError) => error.code === status.PERMISSION_DENIED,
    );
    const again = await pool.enrol("mac-h");
    assert.equal(await sayHello(agentPort(), tlsOf(again.identity), "mac-h"), "welcome");
    assert.equal(await sayHello(agentPort(), tlsOf(enrolled.identity), "mac-h"), "HostRevoked");
  });

  it("ends when the host is deleted, and is remembered as ended after a restart", async () => {
    const { identity } = await pool.enrol("mac-i");
    await (await pool.hosts()).deleteHost({ name: "hosts/mac-i" });
    assert.equal(await sayHello(agentPort(), tlsOf(identity), "mac-i"), "HostRevoked");
    await pool.restart();
    assert.equal(await sayHello(agentPort(), tlsOf(identity), "mac-i"), "HostRevoked");
  });

  it("needs an address in the token that the server's certificate is for", async () => {
    const access = await pool.access();
    const call = access.createJoinToken({ joinToken: { spec: {} }, addresses: ["elsewhere.example.com:7071"] });
    await refused(call, "FIELD_INVALID");
  });

  it("shows a token once: a repeated request has it no more", async () => {
    const access = await pool.access();
    const request = { joinToken: { spec: {} }, requestId: "once" };
    const first = await access.createJoinToken(request);
    const second = await access.createJoinToken(request);
    assert.equal(second.joinToken?.uid, first.joinToken?.uid);
    assert.notEqual(first.token, "");
    assert.equal(second.token, "");
  });
});
