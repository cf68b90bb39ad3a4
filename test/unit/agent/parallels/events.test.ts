import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { ParallelsApi, ParallelsListener } from "../../../../agent/parallels/api.ts";
import { ManualClock } from "./manual-clock.ts";
import { eventually } from "./rejection.ts";
import { type ScriptedService, startScriptedService } from "./scripted-service.ts";

const greeting = { event_type: "global", message: "WebSocket connection established", body: { client_id: "1" } };

describe("events", () => {
  let service: ScriptedService;
  let clock: ManualClock;
  let api: ParallelsApi;
  let heard: unknown[];

  const listener: ParallelsListener = {
    onConnected: () => heard.push("connected"),
    onDisconnected: (error) => heard.push(`disconnected: ${error.message}`),
    onStateChanged: (vmId, state) => heard.push({ vmId, state }),
    onVmChanged: (vm) => heard.push({ changed: vm.id, name: vm.name }),
    onVmRemoved: (vmId) => heard.push({ removed: vmId }),
    onJob: (job) => heard.push({ job: job.id, percent: job.percent }),
    onCacheChanged: () => heard.push("cache"),
  };

  beforeEach(async () => {
    service = await startScriptedService();
    clock = new ManualClock();
    api = service.connect({ clock });
    heard = [];
  });

  afterEach(() => service.close());

  function send(message: object): void {
    service.sockets.at(-1)?.send(JSON.stringify(message));
  }

  /** Waits for connection number `count` and greets it. */
  async function greet(count: number): Promise<void> {
    await eventually(`connection ${count}`, () => {
      clock.advance(0);
      return service.sockets.length === count;
    });
    const connectedCount = heard.filter((entry) => entry === "connected").length;
    send(greeting);
    await eventually(
      "the greeting",
      () => heard.filter((entry) => entry === "connected").length === connectedCount + 1,
    );
  }

  /** Lets the waits between attempts pass. */
  async function reconnect(count: number): Promise<void> {
    await eventually(`connection ${count}`, () => {
      clock.advance(250);
      return service.sockets.length === count;
    });
  }

  it("are subscribed to with the token in a header, and arrive in their order", async () => {
    api.subscribe(listener);
    await greet(1);
    const seen = service.requests.at(-1);
    assert.equal(seen?.path, "/api/v1/ws/subscribe?event_types=pdfm,job_manager,catalog_cache");
    assert.equal(seen?.headers.authorization, "Bearer token-1");
    send({ event_type: "pdfm", message: "VM_ADDED", body: { vm_id: "a", new_vm: { ID: "a", Name: "n" } } });
    send({ event_type: "pdfm", message: "VM_STATE_CHANGED", body: { vm_id: "{a}", current_state: "starting" } });
    send({ event_type: "pdfm", message: "MAC_VMS_RUNNING_NOW", body: { mac_vms_running: ["a"] } });
    send({ event_type: "tomorrow", message: "NEWS", body: [] });
    service.sockets[0]?.send("not json");
    service.sockets[0]?.send(Buffer.from([1, 2, 3]));
    send({ event_type: "job_manager", message: "JOB_UPDATED", body: { id: "j", state: "running", progress: 37 } });
    send({ event_type: "catalog_cache", message: "CACHE_ITEM_ADDED", body: {} });
    send({ event_type: "pdfm", message: "VM_REMOVED", body: { vm_id: "a" } });
    const expected = [
      "connected",
      { changed: "a", name: "n" },
      { vmId: "a", state: "starting" },
      { job: "j", percent: 37 },
      "cache",
      { removed: "a" },
    ];
    await eventually("all events", () => heard.length === expected.length);
    assert.deepEqual(heard, expected);
  });

  it("come back by themselves after the connection is lost, and say that there is a gap", async () => {
    api.subscribe(listener);
    await greet(1);
    service.sockets[0]?.terminate();
    await eventually("the loss", () => heard.length === 2);
    await reconnect(2);
    await greet(2);
    assert.match(String(heard[1]), /^disconnected: the service closed the connection/);
    assert.deepEqual([heard[0], heard[2]], ["connected", "connected"]);
  });

  it("report an outage once, however many attempts fail", async () => {
    service.onLogin = () => ({ isCut: true });
    api.subscribe(listener);
    const attempts = (): number => service.seen("/auth/token").length;
    await eventually("four attempts", () => {
      clock.advance(100);
      return attempts() >= 4;
    });
    assert.equal(heard.length, 1);
  });

  it("wait longer from attempt to attempt", async () => {
    service.onLogin = () => ({ isCut: true });
    const largest = { uid: () => "f".repeat(32), suffix: () => "" };
    await api.close();
    api = service.connect({ clock, ids: largest as never });
    api.subscribe(listener);
    const waitsMs: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt += 1) {
      const startMs = clock.monotonicMs();
      await eventually("the attempt", () => {
        // Only while nothing but the wait is under way does time pass.
        if (clock.timerCount === 1 && service.seen("/auth/token").length < attempt) clock.advance(100);
        return service.seen("/auth/token").length === attempt;
      });
      await eventually("its end", () => clock.timerCount === 1);
      waitsMs.push(Math.round((clock.monotonicMs() - startMs) / 500) * 500);
    }
    assert.deepEqual(waitsMs.slice(1), [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  });

  it("that a restarted service refuses are asked for with a new token", async () => {
    api.subscribe(listener);
    await greet(1);
    service.refusedAuthorization = "Bearer token-1";
    service.sockets[0]?.terminate();
    await eventually("the loss", () => heard.length === 2);
    await reconnect(2);
    assert.equal(service.requests.at(-1)?.headers.authorization, "Bearer token-2");
  });

  it("of a service that does not greet flow all the same", async () => {
    api.subscribe(listener);
    await eventually("the connection", () => {
      clock.advance(0);
      return service.sockets.length === 1;
    });
    await eventually("the greeting's limit", () => {
      clock.advance(500);
      return heard.length > 0;
    });
    assert.deepEqual(heard, ["connected"]);
  });

  it("of a connection that has gone silent are taken for lost", async () => {
    api.subscribe(listener);
    await greet(1);
    service.sockets[0]?.pause();
    for (let period = 0; period < 2; period += 1) clock.advance(15_000);
    assert.equal(heard.length, 1);
    clock.advance(15_000);
    assert.deepEqual(heard.slice(1), ["disconnected: the connection for events has gone silent"]);
    await reconnect(2);
  });

  it("of a connection that only answers pings are not taken for lost, unless it once answered more", async () => {
    api.subscribe(listener);
    await greet(1);
    let isAnswering = false;
    let pings = 0;
    let frames = 0;
    service.sockets[0]?.on("ping", () => {
      frames += 1;
    });
    service.sockets[0]?.on("message", () => {
      pings += 1;
      if (isAnswering) send({ event_type: "health", message: "pong", ref_id: "any" });
    });
    const period = async (): Promise<void> => {
      const before = [pings, frames];
      clock.advance(15_000);
      if (heard.length > 1) return;
      await eventually("both pings", () => pings > (before[0] ?? 0) && frames > (before[1] ?? 0));
      // The answers are on their way back: another round trip is behind them.
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    for (let count = 0; count < 8; count += 1) await period();
    assert.deepEqual(heard, ["connected"]);
    isAnswering = true;
    await period();
    isAnswering = false;
    for (let count = 0; count < 4; count += 1) await period();
    assert.equal(heard.length, 2);
  });

  it("of a service that never ends the handshake are tried again", async () => {
    const sockets: { destroy(): void }[] = [];
    const mute = createServer((socket) => sockets.push(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const address = mute.address();
    assert.ok(address !== null && typeof address === "object");
    await api.close();
    api = service.connect({ clock, baseUrl: `http://127.0.0.1:${address.port}`, limits: { loginMs: 1000 } });
    api.subscribe(listener);
    await eventually("two connections", () => {
      clock.advance(100);
      return sockets.length >= 2;
    });
    assert.equal(heard.length, 1);
    await api.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => mute.close(resolve));
  });

  it("end with the subscription: nothing is called, nothing is left, and twice is harmless", async () => {
    const subscription = api.subscribe(listener);
    await greet(1);
    subscription.close();
    subscription.close();
    await eventually("the farewell", () => service.sockets[0]?.readyState === 3);
    assert.equal(clock.timerCount, 0);
    assert.deepEqual(heard, ["connected"]);
    api.subscribe(listener).close();
    await api.close();
    assert.equal(clock.timerCount, 0);
    assert.equal(service.sockets.length, 1);
  });
});
