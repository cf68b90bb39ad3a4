import assert from "node:assert/strict";
import { closeServices, startService } from "./service.ts";

describe("the local API's transport and credentials", () => {
  afterEach(closeServices);

  it("answers the probe without credentials, below the plain prefix alone", async () => {
    const { call } = await startService();
    const probe = await call("GET", "/api/health/probe", { headers: {} });
    assert.deepEqual([probe.status, probe.json], [200, { status: "OK" }]);
    assert.equal((await call("GET", "/api/v1/health/probe", { headers: {} })).status, 404);
    const health = await call("GET", "/api/v1/health/system?full=true", { headers: {} });
    assert.deepEqual([health.status, health.json.healthy], [200, true]);
  });

  it("offers every route below both prefixes, with the bare JSON content type", async () => {
    const { call } = await startService({ vms: [{ name: "one" }] });
    for (const prefix of ["/api", "/api/v1"]) {
      const reply = await call("GET", `${prefix}/machines`);
      assert.deepEqual([reply.status, reply.json.length, reply.contentType], [200, 1, "application/json"]);
    }
  });

  it("an unknown route is a 404 that repeats the path, whoever asks", async () => {
    const { call } = await startService();
    for (const headers of [{}, undefined]) {
      const reply = await call("GET", "/api/v1/machines/x/fly?now=1", headers === undefined ? {} : { headers });
      assert.equal(reply.status, 404);
      assert.deepEqual(reply.json, { message: "resource /api/v1/machines/x/fly not found", code: 404 });
    }
  });

  it("without credentials the answer is 401 and null, with wrong ones 401 and a reason", async () => {
    const { call } = await startService();
    const none = await call("GET", "/api/v1/machines", { headers: {} });
    assert.deepEqual([none.status, none.json], [401, null]);
    for (const headers of [{ "x-api-key": "bm86bm8=" }, { authorization: "Bearer a.b.c" }]) {
      const wrong = await call("GET", "/api/v1/machines", { headers });
      assert.equal(wrong.status, 401);
      assert.equal(typeof wrong.json.error, "string");
      assert.equal(typeof wrong.json.error_description, "string");
    }
  });

  it("gives a token for an API key or a password, good for jobs, in the header or the query", async () => {
    const { call, running } = await startService();
    for (const body of [
      { api_key: running.apiKey },
      { username: "root", password: running.rootPassword },
      { email: "root@localhost", password: running.rootPassword },
    ]) {
      const { status, json } = await call("POST", "/api/v1/auth/token", { body, headers: {} });
      assert.equal(status, 200);
      assert.equal(json.email, "root@localhost");
      assert(json.expires_at > Date.now() / 1_000);
      const byHeader = await call("GET", "/api/v1/jobs", { headers: { authorization: `Bearer ${json.token}` } });
      assert.deepEqual([byHeader.status, byHeader.json], [200, []]);
      const byQuery = await call("GET", `/api/v1/machines?access_token=${json.token}`, { headers: {} });
      assert.equal(byQuery.status, 200);
      const check = await call("POST", "/api/v1/auth/token/validate", { body: { token: json.token }, headers: {} });
      assert.deepEqual(check.json, { valid: true });
    }
  });

  it("a wrong password is a 404 with diagnostics", async () => {
    const { call } = await startService();
    const body = { username: "root", password: "wrong" };
    const { status, json } = await call("POST", "/api/v1/auth/token", { body, headers: {} });
    assert.equal(status, 404);
    assert.equal(json.code, 404);
    assert(Array.isArray(json.diagnostics.errors));
  });

  it("an API key is no user, so jobs are refused to it", async () => {
    const { call } = await startService();
    for (const path of ["/api/v1/jobs", "/api/v1/jobs/x"]) {
      const reply = await call("GET", path);
      assert.equal(reply.status, 401);
      assert.match(reply.text, /User not found/);
    }
  });

  it("a token expires", async () => {
    const service = await startService({ tokenLifetimeMs: -1_000 });
    const headers = await service.logIn();
    assert.equal((await service.call("GET", "/api/v1/machines", { headers })).status, 401);
  });

  it("a token that was voided is refused, and a new one is good", async () => {
    const service = await startService();
    const headers = await service.logIn();
    service.running.voidTokens();
    assert.equal((await service.call("GET", "/api/v1/jobs", { headers })).status, 401);
    assert.equal((await service.call("GET", "/api/v1/jobs", { headers: await service.logIn() })).status, 200);
  });

  it("a restart voids every token and forgets jobs, and the API key stays good", async () => {
    const service = await startService({ vms: [{ name: "one", state: "running" }] });
    const headers = await service.logIn();
    assert.equal((await service.call("GET", "/api/v1/machines", { headers })).status, 200);
    const { url } = service.running;
    await service.running.restart();
    assert.equal(service.running.url, url);
    assert.equal((await service.call("GET", "/api/v1/machines", { headers })).status, 401);
    const { json } = await service.call("GET", "/api/v1/machines");
    assert.equal(json[0].State, "running");
    assert.equal((await service.call("GET", "/api/v1/machines", { headers: await service.logIn() })).status, 200);
  });

  it("nobody answers while it is down, and then the same port with the same VMs", async () => {
    const service = await startService({ vms: [{ name: "one" }] });
    const headers = await service.logIn();
    await service.running.goDown();
    await assert.rejects(service.call("GET", "/api/v1/machines"), { code: "ECONNREFUSED" });
    await service.running.comeBack();
    assert.equal((await service.call("GET", "/api/v1/machines", { headers })).json.length, 1);
  });

  it("a body that is no JSON, or no object, is a 400", async () => {
    const { call } = await startService({ vms: [{ name: "one" }] });
    for (const body of ["{", "[]", "null", '"x"', ""]) {
      const reply = await call("PUT", "/api/v1/machines/one/clone", { body });
      assert.equal(reply.status, 400);
      assert.match(reply.json.message, /^Invalid request body: /);
    }
  });
});
