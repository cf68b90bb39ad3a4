import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { rejection } from "./rejection.ts";
import { type ScriptedService, startScriptedService, unknownRoute } from "./scripted-service.ts";

const done = { json: { id: "vm-1", operation: "Start", status: "Success" } };

describe("changes of state", () => {
  let service: ScriptedService;

  beforeEach(async () => {
    service = await startScriptedService();
  });

  afterEach(() => service.close());

  const methods = (): readonly string[] => service.seen("/machines/vm-1/start").map((request) => request.method);

  it("send PUT and nothing else where the service has it", async () => {
    service.answer("PUT /machines/vm-1/start", done);
    const api = service.connect();
    await api.changeState("vm-1", "start");
    assert.deepEqual(methods(), ["PUT"]);
  });

  it("send GET after a 404 that names the route, and remember it for the host", async () => {
    service.answer("GET /machines/vm-1/start", done);
    const api = service.connect();
    await api.changeState("vm-1", "start");
    await api.changeState("vm-1", "start");
    assert.deepEqual(methods(), ["PUT", "GET", "GET"]);
  });

  it("send GET after a 405 as well", async () => {
    service.answer("PUT /machines/vm-1/start", { status: 405, text: "Method Not Allowed" });
    service.answer("GET /machines/vm-1/start", done);
    await service.connect().changeState("vm-1", "start");
    assert.deepEqual(methods(), ["PUT", "GET"]);
  });

  it("learn PUT again when the service was upgraded meanwhile", async () => {
    service.answer("GET /machines/vm-1/start", done);
    const api = service.connect();
    await api.changeState("vm-1", "start");
    service.answer("GET /machines/vm-1/start", ({ path }) => unknownRoute(path));
    service.answer("PUT /machines/vm-1/start", done);
    await api.changeState("vm-1", "start");
    await api.changeState("vm-1", "start");
    assert.deepEqual(methods(), ["PUT", "GET", "GET", "PUT", "PUT"]);
  });

  it("are never repeated after another 404, which is how a failed prlctl comes", async () => {
    const message = "Failed to start the VM: the configuration is invalid";
    service.answer("PUT /machines/vm-1/start", { status: 404, json: { message, code: 404 } });
    service.answer("GET /machines/vm-1/start", done);
    const error = await rejection(service.connect().changeState("vm-1", "start"));
    assert.equal(error.kind, "failed");
    assert.match(error.message, /configuration is invalid/);
    assert.deepEqual(methods(), ["PUT"]);
  });

  it("remember the verb even when the change itself is refused", async () => {
    service.answer("GET /machines/vm-1/start", {
      status: 400,
      json: { message: "error: VM is not stopped", code: 400 },
    });
    const api = service.connect();
    assert.equal((await rejection(api.changeState("vm-1", "start"))).kind, "state-not-allowed");
    await rejection(api.changeState("vm-1", "start"));
    assert.deepEqual(methods(), ["PUT", "GET", "GET"]);
  });

  it("end with an error when the service has the route for neither", async () => {
    const error = await rejection(service.connect().changeState("vm-1", "start"));
    assert.equal(error.kind, "failed");
    assert.deepEqual(methods(), ["PUT", "GET"]);
  });

  it("pass force on for a stop only", async () => {
    service.answer("PUT /machines/vm-1/stop?force=true", done);
    const api = service.connect();
    await api.changeState("vm-1", "stop", { force: true });
    assert.equal(service.seen("/machines/vm-1/stop?force=true").length, 1);
    assert.equal((await rejection(api.changeState("vm-1", "start", { force: true }))).kind, "failed");
  });

  it("encode the id, so that none reaches another route", async () => {
    service.answer("PUT /machines/a%2Fb%3Fc/start", done);
    const api = service.connect();
    await api.changeState("a/b?c", "start");
    assert.equal((await rejection(api.changeState("..", "start"))).kind, "failed");
    assert.equal((await rejection(api.changeState("", "start"))).kind, "failed");
  });
});
