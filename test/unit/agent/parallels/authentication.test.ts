import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { ManualClock } from "./manual-clock.ts";
import { rejection } from "./rejection.ts";
import { type ScriptedService, startScriptedService } from "./scripted-service.ts";

const vms = { json: [] };
const refused = { status: 401, json: { error: "unauthorized_client", error_description: "token is expired" } };

describe("authentication", () => {
  let service: ScriptedService;

  beforeEach(async () => {
    service = await startScriptedService();
    service.answer("GET /machines", vms);
  });

  afterEach(() => service.close());

  const logins = (): readonly unknown[] => service.seen("/auth/token").map((request) => request.body);
  const passes = (): readonly (string | undefined)[] =>
    service.seen("/machines").map((request) => request.headers.authorization);

  it("an api key is exchanged for a token, once for all calls", async () => {
    const api = service.connect({ credentials: { apiKey: "key:secret" } });
    await Promise.all([api.listVms(), api.listVms(), api.listVms()]);
    await api.listVms();
    assert.deepEqual(logins(), [{ api_key: Buffer.from("key:secret").toString("base64") }]);
    assert.deepEqual(new Set(passes()), new Set(["Bearer token-1"]));
  });

  it("an api key in its base64 form is sent as it is", async () => {
    const apiKey = Buffer.from("key:secret").toString("base64");
    await service.connect({ credentials: { apiKey } }).listVms();
    assert.deepEqual(logins(), [{ api_key: apiKey }]);
  });

  it("a user logs in by name or by e-mail address", async () => {
    await service.connect({ credentials: { username: "root", password: "pass word" } }).listVms();
    await service.connect({ credentials: { username: "root@localhost", password: "pass word" } }).listVms();
    assert.deepEqual(logins(), [
      { username: "root", password: "pass word" },
      { email: "root@localhost", password: "pass word" },
    ]);
  });

  it("a token is renewed before it expires", async () => {
    const clock = new ManualClock();
    const api = service.connect({ clock });
    await api.listVms();
    clock.advance(3600_000 - 65_000);
    await api.listVms();
    clock.advance(10_000);
    await api.listVms();
    assert.deepEqual(passes(), ["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
  });

  it("a token without a known end is renewed after some minutes", async () => {
    const clock = new ManualClock();
    let count = 0;
    service.onLogin = () => {
      count += 1;
      return { json: { token: `endless-${count}` } };
    };
    const api = service.connect({ clock });
    await api.listVms();
    clock.advance(5 * 60_000);
    await api.listVms();
    assert.equal(count, 2);
  });

  it("a restarted service forgets every token: any 401 brings a new one, once for all calls, and the call again", async () => {
    service.answer("GET /machines", ({ headers }) => (headers.authorization === "Bearer token-1" ? refused : vms));
    const api = service.connect();
    await Promise.all([api.listVms(), api.listVms(), api.listVms()]);
    assert.equal(logins().length, 2);
  });

  it("a 401 for a new token as well is an error, not a loop", async () => {
    service.answer("GET /machines", refused);
    const error = await rejection(service.connect().listVms());
    assert.equal(error.kind, "unauthorised");
    assert.match(error.message, /token is expired/);
    assert.equal(service.seen("/machines").length, 2);
  });

  it("a 401 whose body is null is an error that says so", async () => {
    service.answer("GET /machines", { status: 401, json: null });
    const error = await rejection(service.connect().listVms());
    assert.equal(error.kind, "unauthorised");
    assert.match(error.message, /401/);
  });

  it("where no token can be had for a key, the key itself is the pass, and the token is tried for again later", async () => {
    const clock = new ManualClock();
    const { onLogin } = service;
    service.onLogin = () => ({ status: 404, json: { message: "resource /api/v1/auth/token not found", code: 404 } });
    const api = service.connect({ clock });
    await api.listVms();
    await api.listVms();
    service.onLogin = onLogin;
    clock.advance(31_000);
    await api.listVms();
    const keys = service.seen("/machines").map((request) => request.headers["x-api-key"]);
    const key = Buffer.from("key:secret").toString("base64");
    assert.deepEqual(keys, [key, key, undefined]);
    assert.equal(passes().at(-1), "Bearer token-1");
    assert.equal(logins().length, 2);
  });

  it("a wrong password, which comes as 404, is a refusal, and is not tried again at once", async () => {
    const clock = new ManualClock();
    service.onLogin = () => ({
      status: 404,
      json: {
        message: "failed to log in",
        code: 404,
        diagnostics: { errors: [{ message: "hash is not of the password" }] },
      },
    });
    const api = service.connect({ clock, credentials: { username: "root", password: "wrong-password" } });
    const error = await rejection(api.listVms());
    assert.equal(error.kind, "unauthorised");
    assert.match(error.message, /failed to log in; hash is not of the password/);
    await rejection(api.listVms());
    assert.equal(logins().length, 1);
    clock.advance(31_000);
    await rejection(api.listVms());
    assert.equal(logins().length, 2);
  });

  it("a login that breaks off is not a refusal", async () => {
    service.onLogin = () => ({ isCut: true });
    const api = service.connect();
    assert.notEqual((await rejection(api.listVms())).kind, "unauthorised");
    service.onLogin = () => ({ json: { token: "late" } });
    await api.listVms();
    assert.deepEqual(passes(), ["Bearer late"]);
  });

  it("a caller that gives up does not take the login of the others with it", async () => {
    let letGo: (value: undefined) => void = () => undefined;
    const gate = new Promise<undefined>((resolve) => {
      letGo = resolve;
    });
    service.onLogin = async () => {
      await gate;
      return { json: { token: "shared" } };
    };
    const api = service.connect();
    const abort = new AbortController();
    const impatient = rejection(api.listVms(abort.signal));
    const patient = api.listVms();
    abort.abort(new Error("enough"));
    assert.match((await impatient).message, /given up/);
    letGo(undefined);
    assert.deepEqual(await patient, []);
    assert.equal(logins().length, 1);
  });

  it("no secret comes into an error, even when the service repeats it", async () => {
    const password = "c0rrect horse+battery";
    const repeat = {
      status: 400,
      json: { message: `bad input: ${password} or ${encodeURIComponent(password)} or token-1`, code: 400 },
    };
    service.answer("GET /machines", repeat);
    const error = await rejection(service.connect({ credentials: { username: "root", password } }).listVms());
    assert.match(error.message, /bad input: \[redacted\] or \[redacted\] or \[redacted\]/);
    assert.ok(!JSON.stringify([error.message, String(error.cause)]).includes("horse"));
  });
});
