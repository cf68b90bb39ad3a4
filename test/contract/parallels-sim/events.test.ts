import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { createManualClock } from "../../unit/simulator/manual-clock.ts";
import { closeServices, type Json, startService } from "./service.ts";

const catalog = [{ catalogId: "MACOS-15", version: "v1", architecture: "arm64" }] as const;

/** What was sent before has arrived on both sides. */
async function roundTrip(socket: WebSocket): Promise<void> {
  const answered = once(socket, "pong");
  socket.ping();
  await answered;
}

describe("the local API's event socket", () => {
  afterEach(closeServices);

  it("greets with the subscriptions, in the envelope of all messages", async () => {
    const service = await startService();
    const { until } = await service.listen("?event_types=pdfm,job_manager,nonsense");
    const greeting = await until(() => true);
    assert.equal(greeting.event_type, "global");
    assert.equal(greeting.message, "WebSocket connection established subscribed to global by default");
    assert.deepEqual(greeting.body.subscriptions, ["pdfm", "job_manager", "global"]);
    assert.equal(typeof greeting.body.client_id, "string");
    assert.equal(new Date(greeting.timestamp).toISOString(), greeting.timestamp);
    assert.equal(typeof greeting.id, "string");
  });

  it("tells a start in its order, with the address last", async () => {
    const service = await startService({ vms: [{ name: "one" }] });
    const { messages, until } = await service.listen("?event_types=pdfm");
    await service.call("PUT", "/api/v1/machines/one/start");
    const last = await until((message) => message.body?.new_vm?.internal_ip_address);
    const { id } = (await service.call("GET", "/api/v1/machines/one/status")).json;
    assert.deepEqual(
      messages.slice(1).map(({ message }) => message),
      ["VM_STATE_CHANGED", "VM_STATE_CHANGED", "VM_UPDATED", "MAC_VMS_RUNNING_NOW", "VM_UPDATED"],
    );
    assert.deepEqual(messages[1].body, { previous_state: "stopped", current_state: "starting", vm_id: id });
    assert.deepEqual(messages[2].body, { previous_state: "starting", current_state: "running", vm_id: id });
    assert.deepEqual(messages[4].body, { mac_vms_running: [id] });
    assert.deepEqual([last.body.vm_id, last.body.new_vm.ID], [id, id]);
  });

  it("tells what comes and goes, and what a person does by hand", async () => {
    const service = await startService({ vms: [{ name: "golden" }] });
    const { until } = await service.listen("?event_types=pdfm");
    const { json } = await service.call("PUT", "/api/v1/machines/golden/clone", { body: { clone_name: "copy" } });
    const added = await until(({ message }) => message === "VM_ADDED");
    assert.deepEqual([added.body.vm_id, added.body.new_vm.Name], [json.id, "copy"]);
    await service.call("DELETE", "/api/v1/machines/copy");
    const removed = await until(({ message }) => message === "VM_REMOVED");
    assert.deepEqual(removed.body, { vm_id: json.id });
    service.running.mac.person.startVm("golden");
    await until(({ body }) => body?.current_state === "running");
  });

  it("tells a job from its creation to its end, and the cache's new image", async () => {
    const service = await startService({ catalog });
    const { messages, until } = await service.listen("?event_types=job_manager,catalog_cache");
    const connection = "host=user:password@https://catalog.example.com";
    const body = { name: "runner", catalog_manifest: { catalog_id: "MACOS-15", version: "v1", connection } };
    await service.call("POST", "/api/v1/machines/async", { body });
    const completed = await until(({ message }) => message === "JOB_COMPLETED");
    assert.equal(completed.body.state, "completed");
    assert.equal(messages[1].message, "JOB_CREATED");
    assert(messages.filter(({ message }) => message === "JOB_UPDATED").length >= 5);
    const cached = messages.find(({ message }) => message === "CACHE_ITEM_ADDED");
    assert.deepEqual(
      [cached.event_type, cached.body.catalog_id, cached.body.version],
      ["catalog_cache", "MACOS-15", "v1"],
    );
  });

  it("sends only the types that were asked for, and nothing of the past", async () => {
    const service = await startService({ vms: [{ name: "one" }] });
    const jobs = await service.listen("?event_types=job_manager");
    await service.call("PUT", "/api/v1/machines/one/start");
    const late = await service.listen("?event_types=pdfm");
    await service.call("PUT", "/api/v1/machines/one/stop");
    const first = await late.until(({ message }) => message === "VM_STATE_CHANGED");
    assert.equal(first.body.current_state, "stopping");
    assert.equal(jobs.messages.length, 1);
  });

  it("answers a health message with a pong that refers to it", async () => {
    const service = await startService();
    const { socket, until } = await service.listen("?event_types=health");
    socket.send(JSON.stringify({ event_type: "health", message: "ping", id: "x" }));
    socket.send("no JSON");
    const pong = await until(({ event_type: type }) => type === "health");
    assert.deepEqual([pong.message, pong.ref_id], ["pong", "x"]);
  });

  it("collects messages for a tenth of a second", async () => {
    const clock = createManualClock();
    const service = await startService({ clock, delays: { eventFlush: [100, 100] }, vms: [{ name: "one" }] });
    const { messages, socket } = await service.listen("?event_types=pdfm");
    service.running.mac.person.startVm("one");
    await clock.advance(99);
    await roundTrip(socket);
    assert.equal(messages.length, 0);
    await clock.advance(1);
    await roundTrip(socket);
    assert.equal(messages.length, 6);
  });

  it("pings every thirty seconds, and keeps whoever answers", async () => {
    const clock = createManualClock();
    const service = await startService({ clock });
    const { socket } = await service.listen("");
    for (let round = 0; round < 4; round += 1) {
      const pinged = once(socket, "ping");
      await clock.advance(30_000);
      await pinged;
      await roundTrip(socket);
    }
    assert.equal(socket.readyState, WebSocket.OPEN);
  });

  it("cuts off who does not answer a ping within forty-five seconds", async () => {
    const clock = createManualClock();
    const { running } = await startService({ clock });
    const headers = { "x-api-key": running.apiKey };
    const url = `${running.url.replace("http", "ws")}/api/v1/ws/subscribe`;
    const deaf = new WebSocket(url, { headers, autoPong: false });
    await once(deaf, "open");
    await clock.advance(30_000 + 44_999);
    await roundTrip(deaf);
    const cut = once(deaf, "close");
    await clock.advance(1);
    await cut;
  });

  it("gone silent it stays connected and says nothing, not even to pings", async () => {
    const clock = createManualClock();
    const service = await startService({ clock, vms: [{ name: "one" }] });
    const { messages, socket } = await service.listen("?event_types=pdfm");
    service.running.mac.faults.areEventsSilent = true;
    const heard: string[] = [];
    socket.on("ping", () => heard.push("ping"));
    socket.on("pong", () => heard.push("pong"));
    socket.on("close", () => heard.push("close"));
    const quiet = await service.listen("");
    socket.ping();
    await service.call("PUT", "/api/v1/machines/one/start");
    await clock.advance(60_000);
    service.running.mac.faults.areEventsSilent = false;
    await service.call("PUT", "/api/v1/machines/one/stop");
    await roundTrip(socket);
    assert.deepEqual(heard, ["pong"]);
    assert.deepEqual(
      messages.filter(({ message }) => message === "VM_STATE_CHANGED").map(({ body }) => body.current_state),
      ["stopping", "stopped"],
    );
    assert(!quiet.messages.some(({ event_type: type, body }: Json) => type === "global" && body.client_id));
  });

  it("is refused without credentials and on other paths", async () => {
    const { running } = await startService();
    for (const [path, headers, status] of [
      ["/api/v1/ws/subscribe", {}, 401],
      ["/api/v1/ws/subscribe", { "x-api-key": "bm86bm8=" }, 401],
      ["/api/v1/ws/nothing", { "x-api-key": running.apiKey }, 404],
    ] as const) {
      const socket = new WebSocket(`${running.url.replace("http", "ws")}${path}`, { headers });
      const [error] = await once(socket, "error");
      assert.match(String(error), new RegExp(`${status}`));
    }
  });

  it("is let in with a token in the query", async () => {
    const service = await startService();
    const token = (await service.logIn())["authorization"]?.replace("Bearer ", "") ?? "";
    const { until } = await service.listen(`?event_types=pdfm&access_token=${token}`, {});
    await until(({ event_type: type }) => type === "global");
  });

  it("is cut when the service restarts or goes down", async () => {
    const { listen, running } = await startService();
    const first = await listen("");
    const cut = once(first.socket, "close");
    await running.restart();
    await cut;
    const second = await listen("");
    const cutAgain = once(second.socket, "close");
    await running.goDown();
    await cutAgain;
    await running.comeBack();
    await (await listen("")).until(({ event_type: type }) => type === "global");
  });
});
