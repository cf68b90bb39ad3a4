import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { type AgentClient, hostVmOf, inventoryOf, settle, until } from "./agent-client.ts";
import { Link } from "./link-fixture.ts";

describe("sessions: what agents say", () => {
  let link: Link;
  let agent: AgentClient;
  beforeEach(async () => {
    link = await Link.start();
    agent = link.agent();
    await agent.open();
  });
  afterEach(() => link.close());

  const inventoried = (): number => link.events.filter(({ type }) => type === "host-inventoried").length;

  it("hears heartbeats under the session's epoch", async () => {
    agent.heartbeat({ diskFreeMib: 4711, macosGuests: 1 });
    await until(async () => (await link.contact())?.diskFreeMib === 4711, "the heartbeat");
    assert.deepEqual(link.events.at(-1), {
      type: "host-heard",
      id: "mac-1",
      epoch: 1,
      use: {
        inUse: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
        diskFreeMib: 4711,
        diskTotalMib: 1_000_000,
        macosGuests: 1,
        conditions: [{ type: "ParallelsReachable", holds: true, reason: "Reachable", message: "" }],
      },
    });
  });

  it("acknowledges only what is durable", async () => {
    link.holdDisk();
    agent.inventory({ sequence: 2, vms: [hostVmOf()] });
    const last = agent.inventory({ sequence: 3, vms: [hostVmOf({ state: "running" })] });
    await until(() => inventoried() === 2, "the events");
    await settle();
    assert.equal(agent.acknowledged, 1);
    link.releaseDisk();
    await until(() => agent.acknowledged === last, "the acknowledgement");
    assert.equal((await link.host())?.foreignVms[0]?.state, "running");
  });

  it("acknowledges what became durable together with one message", async () => {
    link.holdDisk();
    for (let sequence = 2; sequence < 22; sequence += 1) agent.heartbeat();
    const last = agent.inventory({ sequence: 2, vms: [hostVmOf()] });
    await until(() => inventoried() === 1, "the event");
    await settle();
    const before = agent.received.length;
    const again = agent.inventory({ sequence: 3, vms: [hostVmOf({ state: "running" })] });
    await until(() => inventoried() === 2, "the event");
    link.releaseDisk();
    await until(() => agent.acknowledged >= last, "the acknowledgement");
    await until(() => agent.acknowledged === again, "the acknowledgement");
    assert.ok(agent.received.length - before <= 2, `${agent.received.length - before} acknowledgements`);
  });

  it("takes a message once, however often it comes", async () => {
    const inventory = inventoryOf({ sequence: 2, vms: [hostVmOf()] });
    agent.send({ $case: "inventory", inventory }, 2);
    agent.send({ $case: "inventory", inventory }, 2);
    agent.send({ $case: "inventory", inventory }, 1);
    agent.heartbeat({ inventorySequence: 2 });
    await until(() => agent.acknowledged === 3, "the acknowledgement");
    assert.equal(inventoried(), 1);
  });

  it("acknowledges and otherwise ignores kinds of messages that it does not know", async () => {
    const sequence = agent.send(undefined);
    await until(() => agent.acknowledged === sequence, "the acknowledgement");
    assert.equal(agent.end, undefined);
  });

  it("asks for a whole inventory when messages are missing", async () => {
    agent.send({ $case: "heartbeat", heartbeat: { ...heartbeat(), inventorySequence: 1 } }, 9);
    assert.match((await agent.next("sendInventory")).sendInventory.reason, /messages are missing/);
    await until(() => agent.acknowledged === 9, "the acknowledgement");
  });

  it("uses an increment that comes after a gap, and asks for the whole", async () => {
    agent.inventory({ sequence: 5, vms: [hostVmOf()] });
    assert.match((await agent.next("sendInventory")).sendInventory.reason, /inventory 2 was expected and 5 came/);
    await until(async () => (await link.host())?.foreignVms.length === 1, "the VM");
  });

  it("asks for a whole inventory when a heartbeat names another", async () => {
    agent.heartbeat({ inventorySequence: 2 });
    assert.match((await agent.next("sendInventory")).sendInventory.reason, /heartbeat names 2/);
  });

  it("asks again after a while, until a whole inventory comes", async () => {
    agent.heartbeat({ inventorySequence: 7 });
    await agent.next("sendInventory");
    agent.heartbeat({ inventorySequence: 7 });
    await until(() => agent.acknowledged === 3, "the acknowledgement");
    await settle();
    assert.equal(agent.all("sendInventory").length, 1);
    link.clock.advance(20_000);
    const heard = agent.heartbeat({ inventorySequence: 7 });
    await until(() => agent.acknowledged === heard, "the acknowledgement");
    link.clock.advance(11_000);
    await agent.next("sendInventory", 1);
    const whole = agent.inventory({ sequence: 7, whole: true });
    await until(() => agent.acknowledged === whole, "the acknowledgement");
    const last = agent.heartbeat({ inventorySequence: 7 });
    await until(() => agent.acknowledged === last, "the acknowledgement");
    link.clock.advance(25_000);
    await settle();
    assert.equal(agent.all("sendInventory").length, 2);
  });

  it("drops an increment that is older than what is known", async () => {
    agent.inventory({ sequence: 2, vms: [hostVmOf({ state: "running" })] });
    const old = agent.inventory({ sequence: 2, vms: [hostVmOf({ state: "stopped" })] });
    await until(() => agent.acknowledged === old, "the acknowledgement");
    assert.equal((await link.host())?.foreignVms[0]?.state, "running");
  });

  it("ends a session with a second Hello", async () => {
    agent.hello();
    const end = await agent.ended();
    assert.equal(end.code, status.INVALID_ARGUMENT);
    assert.match(end.details, /second Hello/);
  });

  it("ends a session with an inventory of more VMs than a Mac has", async () => {
    agent.inventory({ sequence: 2, vms: Array.from({ length: 1001 }, (_, n) => hostVmOf({ id: `vm-${n}` })) });
    assert.match((await agent.ended()).details, /1001 VMs are more than the 1000/);
    assert.equal(inventoried(), 0);
  });

  it("reads a message that is too long for the link as an error, and goes on", async () => {
    agent.inventory({ sequence: 2, vms: [hostVmOf({ name: "x".repeat(5 * 1024 * 1024) })] });
    assert.equal((await agent.ended()).code, status.RESOURCE_EXHAUSTED);
    assert.equal((await link.agent().open()).epoch, 2);
  });

  it("notes that an agent has left, and ends the stream in peace", async () => {
    agent.send({ $case: "goodbye", goodbye: { reason: "ShuttingDown", message: "", retryAfterMs: 0 } });
    assert.equal((await agent.ended()).code, status.OK);
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
  });

  it("reads no more of an agent that floods than it can make durable", async () => {
    link.holdDisk();
    agent.inventory({ sequence: 2, vms: [hostVmOf()] });
    const vms = Array.from({ length: 200 }, (_, n) => hostVmOf({ id: `vm-${n}` }));
    for (let sequence = 3; sequence < 503; sequence += 1) agent.inventory({ sequence, vms });
    await until(() => inventoried() >= 4, "the first events");
    await settle();
    assert.ok(inventoried() <= 4, `${inventoried()} inventories were taken in`);
    assert.ok(agent.waitingCount > 300, `only ${agent.waitingCount} messages wait at the agent`);
    link.releaseDisk();
    await until(() => agent.acknowledged === 502, "all to be durable");
  });
});

describe("sessions: liveness", () => {
  let link: Link;
  beforeEach(async () => {
    link = await Link.start();
  });
  afterEach(() => link.close());

  it("ends a session that is silent for three periods", async () => {
    const agent = link.agent();
    await agent.open();
    link.clock.advance(29_000);
    await settle();
    assert.equal(agent.end, undefined);
    link.clock.advance(2_000);
    const end = await agent.ended();
    assert.equal(end.code, status.DEADLINE_EXCEEDED);
    assert.match(end.details, /Silent/);
    await until(async () => (await link.contact())?.isConnected === false, "the end of the session");
  });

  it("keeps a session that is heard", async () => {
    const agent = link.agent();
    await agent.open();
    for (let beat = 0; beat < 6; beat += 1) {
      link.clock.advance(20_000);
      const sequence = agent.heartbeat();
      await until(() => agent.acknowledged === sequence, "the heartbeat");
    }
    assert.equal(agent.end, undefined);
  });

  it("does not take repeated messages for signs of life", async () => {
    const agent = link.agent();
    await agent.open();
    link.clock.advance(25_000);
    agent.send({ $case: "heartbeat", heartbeat: heartbeat() }, 1);
    await settle();
    link.clock.advance(6_000);
    assert.match((await agent.ended()).details, /Silent/);
  });
});

function heartbeat() {
  return {
    inUse: undefined,
    diskFreeMib: 1,
    diskTotalMib: 2,
    macosGuests: 0,
    conditions: [],
    inventorySequence: 1,
  };
}
