import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createHttpParallelsApi } from "../../../../agent/parallels/http-api.ts";
import { ManualClock } from "./manual-clock.ts";
import { eventually, rejection } from "./rejection.ts";
import { type ScriptedAnswer, type ScriptedService, startScriptedService } from "./scripted-service.ts";

const never = (): Promise<ScriptedAnswer> => new Promise(() => undefined);

describe("calls to the service", () => {
  let service: ScriptedService;

  beforeEach(async () => {
    service = await startScriptedService();
  });

  afterEach(() => service.close());

  it("use the default prefix when the address has none, and the given one otherwise", async () => {
    service.answer("GET /machines", { json: [] });
    for (const suffix of ["", "/", "/api", "/api/", "/api/v1"]) {
      await service.connect({ baseUrl: service.url + suffix }).listVms();
    }
    assert.equal(service.seen("/machines").length, 5);
    service.answer("/devops/v1/auth/token", { json: { token: "elsewhere" } });
    service.answer("GET /devops/v1/machines", { json: [] });
    assert.deepEqual(await service.connect({ baseUrl: `${service.url}/devops` }).listVms(), []);
  });

  it("refuse an address that is no http URL or that could leak a secret", () => {
    const credentials = { apiKey: "key:secret" };
    for (const baseUrl of [
      "",
      "127.0.0.1:3080",
      "ftp://mac",
      "http://user:pw@mac",
      "http://mac/?token=1",
      "http://mac/#a",
    ]) {
      assert.throws(() => createHttpParallelsApi({ baseUrl, credentials }), { name: "ParallelsError" }, baseUrl);
    }
  });

  it("say that nobody is there when nobody listens", async () => {
    const api = service.connect();
    await service.close();
    const error = await rejection(api.listVms());
    assert.equal(error.kind, "unreachable");
    assert.equal(error.status, 0);
  });

  it("end when their time is up, and may have been done", async () => {
    const clock = new ManualClock();
    service.answer("DELETE /machines/vm-1", never);
    const call = rejection(service.connect({ clock, limits: { deleteMs: 1234 } }).deleteVm("vm-1", { force: false }));
    await eventually("the request", () => service.seen("/machines/vm-1").length === 1);
    clock.advance(1233);
    clock.advance(1);
    const error = await call;
    assert.equal(error.kind, "timed-out");
    assert.match(error.message, /1234 ms/);
    assert.equal(clock.timerCount, 0);
  });

  it("end when the caller gives up", async () => {
    service.answer("GET /machines", never);
    const abort = new AbortController();
    const call = rejection(service.connect().listVms(abort.signal));
    await eventually("the request", () => service.seen("/machines").length === 1);
    abort.abort(new Error("enough"));
    assert.equal((await call).kind, "timed-out");
  });

  it("end when the client is closed, and later ones are refused; closing twice is harmless", async () => {
    service.answer("GET /machines", never);
    const api = service.connect();
    const call = rejection(api.listVms());
    await eventually("the request", () => service.seen("/machines").length === 1);
    await api.close();
    await api.close();
    assert.match((await call).message, /closed/);
    assert.equal((await rejection(api.listVms())).kind, "unreachable");
  });

  it("tell a change whose connection broke, which may have been done, from a read", async () => {
    service.answer("/machines/vm-1", { isCut: true });
    service.answer("/machines", { isCut: true });
    const api = service.connect();
    assert.equal((await rejection(api.deleteVm("vm-1", { force: false }))).kind, "timed-out");
    assert.equal((await rejection(api.listVms())).kind, "unreachable");
    assert.equal(service.seen("/machines/vm-1").length, 1);
  });

  it("refuse an answer that is not JSON, whatever else it is", async () => {
    for (const text of [
      "<html><body>Bad gateway</body></html>",
      "",
      "null",
      "{}",
      "42",
      '"text"',
      "[1]",
      "[null]",
      '[{"Name":"x"}]',
    ]) {
      service.answer("GET /machines", { text });
      const error = await rejection(service.connect().listVms());
      assert.equal(error.kind, "failed", text);
    }
  });

  it("do not repeat a page of HTML in an error", async () => {
    service.answer("GET /machines", { status: 502, text: "<html><body>Bad gateway</body></html>" });
    const error = await rejection(service.connect().listVms());
    assert.equal(error.message, "GET /machines: HTTP status 502");
    assert.equal(error.status, 502);
  });

  it("refuse an answer that is larger than any of this service", async function () {
    this.timeout(20_000);
    service.answer("GET /machines", { text: `[${" ".repeat(33 * 2 ** 20)}]` });
    const error = await rejection(service.connect().listVms());
    assert.equal(error.kind, "failed");
    assert.match(error.message, /larger than/);
  });

  it("say so when what answers does not speak HTTP", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end("SSH-2.0-OpenSSH_9.9\r\n"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const api = service.connect({ baseUrl: `http://127.0.0.1:${address.port}` });
    const error = await rejection(api.listVms());
    assert.equal(error.kind, "failed");
    assert.match(error.message, /does not speak HTTP/);
    await api.close();
    await new Promise((resolve) => server.close(resolve));
  });
});
