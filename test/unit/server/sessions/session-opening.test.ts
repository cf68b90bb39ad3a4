import assert from "node:assert/strict";
import { connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import {
  type AgentClient,
  heartbeatOf,
  helloFrom,
  helloOf,
  hostVmOf,
  inventoryOf,
  settle,
  until,
} from "./agent-client.ts";
import { Link } from "./link-fixture.ts";

describe("sessions: opening", () => {
  let link: Link;
  let agent: AgentClient;
  beforeEach(async () => {
    link = await Link.start();
    agent = link.agent();
  });
  afterEach(() => link.close());

  it("welcomes an agent with its epoch and the server's wishes", async () => {
    const welcome = await agent.open();
    assert.equal(welcome.epoch, 1);
    assert.match(welcome.sessionId, /^[0-9a-f]{32}$/);
    assert.equal(welcome.serverVersion, "1.2.3");
    assert.deepEqual(welcome.settings, { heartbeatPeriodMs: 10_000, parallelCreates: 4, diskReserveMib: 20_480 });
    assert.equal(agent.acknowledged, 1);
    assert.equal((await link.contact())?.sessionId, welcome.sessionId);
  });

  it("gives each session of a host a higher epoch", async () => {
    await agent.open();
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    assert.equal((await link.agent().open()).epoch, 2);
  });

  it("says nothing before the session is durable", async () => {
    link.holdDisk();
    agent.hello();
    await until(() => link.events.length === 1, "the event");
    await settle();
    assert.deepEqual(agent.received, []);
    link.releaseDisk();
    assert.equal((await agent.next("welcome")).welcome.epoch, 1);
  });

  it("ignores what an agent sends before the Welcome", async () => {
    link.holdDisk();
    agent.hello();
    agent.heartbeat({ diskFreeMib: 1 });
    await until(() => link.events.length === 1, "the event");
    await settle();
    link.releaseDisk();
    await agent.next("welcome");
    assert.deepEqual(
      link.events.map(({ type }) => type),
      ["host-connected"],
    );
  });

  const wrongHellos: readonly (readonly [string, Parameters<AgentClient["hello"]>[0], RegExp])[] = [
    ["a host id that is none", { hostId: "Mac 1" }, /host_id is no host id/],
    ["no host id", { hostId: "" }, /host_id is no host id/],
    ["no facts", { facts: undefined }, /facts are missing/],
    ["no heartbeat", { heartbeat: undefined }, /heartbeat is missing/],
    ["an inventory that is not whole", { inventory: inventoryOf({ whole: false }) }, /not whole/],
    [
      "too many labels",
      { labels: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`l${n}`, ""])) },
      /65 labels/,
    ],
  ];
  for (const [what, fields, details] of wrongHellos) {
    it(`refuses a Hello with ${what}`, async () => {
      agent.hello(fields);
      const end = await agent.ended();
      assert.equal(end.code, status.INVALID_ARGUMENT);
      assert.match(end.details, details);
      assert.deepEqual(link.events, []);
    });
  }

  it("opens for a Mac whose VMs could not be listed yet, and takes the list when it comes", async () => {
    await agent.open({ inventory: undefined, heartbeat: heartbeatOf({ inventorySequence: 0 }) });
    assert.equal((await link.host())?.foreignVms.length, 0);
    const sequence = agent.inventory({ sequence: 1, whole: true, vms: [hostVmOf()] });
    await until(() => agent.acknowledged === sequence, "the list to be taken");
    assert.equal((await link.host())?.foreignVms.length, 1);
  });

  it("refuses an architecture that it does not know", async () => {
    const { facts } = helloOf();
    assert.ok(facts !== undefined);
    agent.hello({ facts: { ...facts, architecture: "ppc\u0007" } });
    assert.match((await agent.ended()).details, /architecture "ppc " is neither/);
  });

  it("refuses a first message that is no Hello", async () => {
    agent.heartbeat();
    const end = await agent.ended();
    assert.equal(end.code, status.INVALID_ARGUMENT);
    assert.match(end.details, /no Hello/);
  });

  it("ends a stream on which no Hello comes in time", async () => {
    agent.send(undefined, 0);
    assert.equal((await agent.ended()).code, status.INVALID_ARGUMENT);
    const mute = link.agent();
    await settle();
    link.clock.advance(12_000);
    assert.equal((await mute.ended()).code, status.DEADLINE_EXCEEDED);
  });

  it("survives bytes that are no message", async () => {
    for (const bytes of [
      [0, 0, 0, 0, 3, 255, 255, 255],
      [255, 255, 255, 255, 255, 1, 2],
      [0, 0, 0, 0, 2, 0x12, 0x7f],
    ]) {
      const http = connect(`http://${link.agentAddress}`);
      const stream = http.request({
        ":method": "POST",
        ":path": "/meridian.agent.v1.AgentService/Connect",
        "content-type": "application/grpc",
        te: "trailers",
      });
      const answer = new Promise<string>((resolve) => {
        stream.on("response", (headers) => {
          if (headers["grpc-status"] !== undefined) resolve(String(headers["grpc-status"]));
        });
        stream.on("trailers", (headers) => resolve(String(headers["grpc-status"])));
        stream.on("error", () => resolve("reset"));
      });
      stream.write(Buffer.from(bytes));
      assert.notEqual(await answer, "0");
      http.destroy();
    }
    assert.equal((await agent.open()).epoch, 1);
  });

  it("says goodbye to an agent of another protocol version", async () => {
    agent.hello({ protocolVersion: 2 });
    const { goodbye } = await agent.next("goodbye");
    assert.equal(goodbye.reason, "ProtocolVersion");
    assert.ok(goodbye.retryAfterMs > 0);
    assert.equal((await agent.ended()).code, status.OK);
  });

  it("lets the newer run of an agent take over, and tells the older not to come back", async () => {
    await agent.open();
    const newer = link.agent();
    assert.equal((await newer.open({ agentRunId: "run-2" })).epoch, 2);
    const { goodbye } = await agent.next("goodbye");
    assert.equal(goodbye.reason, "Superseded");
    assert.equal(goodbye.retryAfterMs, -1);
    await agent.ended();
    await settle();
    assert.equal((await link.contact())?.isConnected, true);
    assert.equal(newer.end, undefined);
  });

  it("does not turn away the agent whose own older stream is superseded", async () => {
    await agent.open();
    await link.agent().open();
    assert.equal((await agent.next("goodbye")).goodbye.retryAfterMs, 0);
  });

  it("leaves the newer session alone when an older Hello comes late", async () => {
    await agent.open({ dialNumber: { series: "a", run: 2, dial: 7 } });
    for (const older of [
      { series: "a", run: 2, dial: 6 },
      { series: "a", run: 1, dial: 90 },
      { series: "a", run: 2, dial: 7 },
    ]) {
      const late = link.agent();
      late.hello(helloOf({ dialNumber: older, inventory: undefined }));
      const { goodbye } = await late.next("goodbye");
      assert.equal(goodbye.reason, "HelloOutdated");
      assert.equal(goodbye.retryAfterMs, 0);
      await late.ended();
    }
    await settle();
    assert.equal((await link.contact())?.isConnected, true);
    assert.equal(agent.end, undefined);
    assert.equal((await link.host())?.epoch, 1);
  });

  it("knows an older Hello also when the newer session is over", async () => {
    await agent.open({ dialNumber: { series: "a", run: 1, dial: 2 } });
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const late = link.agent();
    late.hello(helloOf({ dialNumber: { series: "a", run: 1, dial: 1 } }));
    assert.equal((await late.next("goodbye")).goodbye.reason, "HelloOutdated");
    await late.ended();
    await settle();
    assert.equal((await link.contact())?.isConnected, false);
    assert.equal((await link.host())?.epoch, 1);
    assert.equal((await link.agent().open({ dialNumber: { series: "a", run: 1, dial: 3 } })).epoch, 2);
  });

  it("takes agents that count anew, and those that do not count", async () => {
    await agent.open({ dialNumber: { series: "a", run: 5, dial: 9 } });
    assert.equal((await link.agent().open({ dialNumber: { series: "b", run: 1, dial: 1 } })).epoch, 2);
    assert.equal((await link.agent().open()).epoch, 3);
    assert.equal((await link.agent().open({ dialNumber: { series: "a", run: 5, dial: 9 } })).epoch, 4);
    const nameless = link.agent();
    assert.equal((await nameless.open({ dialNumber: { series: "", run: 1, dial: 1 } })).epoch, 5);
  });

  it("turns another Mac away while the host is connected", async () => {
    await agent.open();
    const other = link.agent();
    other.hello(helloFrom("hardware-2"));
    const { goodbye } = await other.next("goodbye");
    assert.equal(goodbye.reason, "HostIdTaken");
    assert.match(goodbye.message, /host id of its own/);
    assert.ok(goodbye.retryAfterMs > 0);
    await other.ended();
    agent.heartbeat();
    await until(() => agent.acknowledged === 2, "the first agent to be heard");
    assert.equal((await link.host())?.facts?.hardwareId, "hardware-1");
  });

  it("turns another Mac away as long as VMs stand on the first, also when that is gone", async () => {
    const golden = hostVmOf({ id: "golden-id", name: "golden" });
    await agent.open({ inventory: inventoryOf({ whole: true, vms: [golden] }) });
    await link.createTemplate("t", { kind: "host-vm", vmName: "golden" });
    await link.createVm("a", "t");
    await link.untilVm("a", "PLACED");
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const other = link.agent();
    other.hello(helloFrom("hardware-2"));
    const { goodbye } = await other.next("goodbye");
    assert.equal(goodbye.reason, "HostIdTaken");
    assert.match(goodbye.message, /VMs of the pool stand/);
    assert.ok(goodbye.retryAfterMs > 0);
    await other.ended();
    assert.equal((await link.contact())?.isConnected, false);
    // The licence, by which the hardware is told, cannot be read for once: it is the first Mac all the same.
    const first = link.agent();
    assert.equal((await first.open(helloFrom(""))).epoch, 2);
    first.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    const again = link.agent();
    again.hello(helloFrom("hardware-2"));
    assert.equal((await again.next("goodbye")).goodbye.reason, "HostIdTaken");
    await again.ended();
    assert.equal((await link.vm("a")).host, "mac-1");
  });

  it("takes another Mac once the first is gone", async () => {
    await agent.open();
    agent.close();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    assert.equal((await link.agent().open(helloFrom("hardware-2"))).epoch, 2);
  });

  it("tells Macs without a hardware id apart by their start", async () => {
    await agent.open(helloFrom("", { bootId: "boot-a" }));
    const same = link.agent();
    assert.equal((await same.open(helloFrom("", { bootId: "boot-a" }))).epoch, 2);
    const other = link.agent();
    other.hello(helloFrom("", { bootId: "boot-b" }));
    assert.equal((await other.next("goodbye")).goodbye.reason, "HostIdTaken");
  });

  it("reports a host gone whose stream broke while the session became durable", async () => {
    link.holdDisk();
    agent.hello();
    await until(() => link.events.length === 1, "the event");
    agent.close();
    await settle();
    link.releaseDisk();
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
    assert.deepEqual(link.events.at(-1), { type: "host-disconnected", id: "mac-1", epoch: 1 });
  });
});
