import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { asHostId } from "../../../../shared/ids.ts";
import { type AgentClient, helloFrom, settle, until } from "./agent-client.ts";
import { Link } from "./link-fixture.ts";

describe("sessions: all together", () => {
  let link: Link;
  beforeEach(async () => {
    link = await Link.start();
  });
  afterEach(() => link.close());

  it("asks for rarer heartbeats as the pool grows", async () => {
    const agent = link.agent();
    await agent.open();
    const connected = link.events[0];
    assert.ok(connected?.type === "host-connected");
    await Promise.all(
      Array.from({ length: 12_999 }, (_, n) => link.engine.submit({ ...connected, id: asHostId(`other-${n}`) })),
    );
    link.clock.advance(2_000);
    assert.equal((await agent.next("settings")).settings.heartbeatPeriodMs, 13_000);
    const later = link.agent();
    const { settings } = await later.open(helloFrom("hardware-2", { hostId: "mac-2" }));
    assert.equal(settings?.heartbeatPeriodMs, 13_001);
    link.clock.advance(2_000);
    await settle();
    assert.equal(agent.all("settings").length, 1);
  });

  it("says goodbye to all when it stops, and does not call the hosts gone", async () => {
    const agents = [link.agent(), link.agent()];
    await Promise.all(agents.map((agent, n) => agent.open(helloFrom(`hardware-${n}`, { hostId: `mac-${n}` }))));
    const mute = link.agent();
    await settle();
    await Promise.all([link.sessions.closeAll("an upgrade"), link.sessions.closeAll("twice")]);
    for (const agent of [...agents, mute]) {
      const { goodbye } = await agent.next("goodbye");
      assert.deepEqual(goodbye, { reason: "ShuttingDown", message: "an upgrade", retryAfterMs: 0 });
      assert.equal((await agent.ended()).code, status.OK);
    }
    const late = link.agent();
    late.hello();
    assert.equal((await late.ended()).code, status.UNAVAILABLE);
    assert.ok(link.events.every(({ type }) => type !== "host-disconnected"));
  });

  it("leaves no connection open when the server is shut down by force", async () => {
    const agent = link.agent();
    await agent.open();
    link.kill();
    assert.notEqual((await agent.ended()).code, status.OK);
  });

  it("ends sessions when the engine takes nothing more", async () => {
    const agent = link.agent();
    await agent.open();
    await link.engine.close();
    agent.heartbeat();
    assert.equal((await agent.ended()).code, status.UNAVAILABLE);
    const late = link.agent();
    late.hello();
    assert.equal((await late.ended()).code, status.UNAVAILABLE);
  });
});

describe("sessions: agents that do not read", () => {
  let link: Link;
  let agent: AgentClient;
  let caller: AbortController;
  beforeEach(async () => {
    link = await Link.start();
    agent = link.agent();
    caller = new AbortController();
    await agent.open();
    agent.pause();
  });
  afterEach(() => link.close());

  /** More than the connection's windows hold, so that something waits in the server. */
  const fill = (count: number): Promise<unknown> => {
    const options = { timeoutMs: 3_600_000, signal: caller.signal };
    const call = { kind: "exec", hostVmId: "vm-1", command: ["x".repeat(100_000)], env: {} } as const;
    return Promise.allSettled(
      Array.from({ length: count }, () => link.sessions.calls.call(asHostId("mac-1"), call, options)),
    );
  };

  const stayAlive = async (ms: number): Promise<void> => {
    link.clock.advance(ms);
    agent.heartbeat();
    const heard = link.clock.wallMs();
    await until(async () => ((await link.contact())?.heardAtMs ?? 0) >= heard, "the heartbeat");
  };

  it("are cut off when what waits for them is not taken in time", async () => {
    const calls = fill(60);
    await settle();
    await stayAlive(20_000);
    assert.equal((await link.contact())?.isConnected, true);
    await stayAlive(9_000);
    link.clock.advance(3_000);
    await until(async () => (await link.contact())?.isConnected === false, "the cut");
    await calls;
    agent.resume();
    assert.equal((await agent.ended()).code, status.RESOURCE_EXHAUSTED);
  });

  it("are cut off when too much waits for them", async () => {
    const calls = fill(60);
    await settle();
    let host = await link.host();
    for (let limit = 10; limit < 1100; limit += 1) {
      assert.ok(host !== undefined);
      const limits = { ...host.spec.limits, parallelCreates: limit };
      const { id, generation, spec } = host;
      host = await link.engine.submit({
        type: "host-update",
        id,
        baseGeneration: generation,
        spec: { ...spec, limits },
      });
    }
    link.clock.advance(1_000);
    await until(async () => (await link.contact())?.isConnected === false, "the cut");
    await calls;
  });

  it("do not keep the server from stopping", async () => {
    const calls = fill(60);
    await settle();
    const closing = link.sessions.closeAll("an upgrade");
    await settle();
    link.clock.advance(7_000);
    await closing;
    await calls;
    agent.resume();
    await agent.ended();
  });
});
