import assert from "node:assert/strict";
import { type Agent, type AgentOptions, startAgent } from "../../../agent/agent.ts";
import { CommandUpdate_State } from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { silentLogger } from "../../../shared/log.ts";
import { commandOf, createByClone, poolVmName, poolVmUid } from "../../support/agent/commands.ts";
import { FakeParallels, failing, hang } from "../../support/agent/fake-parallels.ts";
import { type ScriptedServer, type ScriptedStream, startScriptedServer } from "../../support/agent/scripted-server.ts";
import { SimulatedDisk } from "../../support/agent/simulated-disk.ts";
import { until } from "../../support/agent/wait.ts";

const { STATE_ACCEPTED, STATE_SUCCEEDED } = CommandUpdate_State;

describe("the agent, against a server over real gRPC", () => {
  let server: ScriptedServer;
  let parallels: FakeParallels;
  let agent: Agent | undefined;

  beforeEach(async () => {
    server = await startScriptedServer({ settings: { heartbeatPeriodMs: 100 } });
    parallels = new FakeParallels();
  });

  afterEach(async () => {
    await agent?.close();
    server.close();
  });

  function start(options: Partial<AgentOptions> = {}): Agent {
    agent = startAgent({
      ...options,
      servers: [server.address],
      hostId: "mac-01",
      parallels,
      log: silentLogger,
      agentVersion: "1.2.3",
      labels: { rack: "a" },
      random: () => 0,
      bootId: "boot-1",
    });
    return agent;
  }

  it("says in its Hello who it is and all that it sees", async () => {
    parallels.addVm({ name: "golden" });
    start();
    await until(() => server.streams[0]?.hello !== undefined, "a hello");
    const hello = server.streams[0]?.hello;
    assert.equal(hello?.hostId, "mac-01");
    assert.equal(hello.protocolVersion, 1);
    assert.equal(hello.bootId, "boot-1");
    assert.deepEqual(hello.labels, { rack: "a" });
    assert.equal(hello.facts?.agentVersion, "1.2.3");
    assert.equal(hello.facts.cpuCount, 12);
    assert.equal(hello.inventory?.whole, true);
    assert.deepEqual(
      hello.inventory.vms.map((vm) => vm.name),
      ["golden"],
    );
    assert.equal(hello.heartbeat?.inventorySequence, hello.inventory.sequence);
    assert.deepEqual(
      hello.heartbeat.conditions.filter((condition) => !condition.holds),
      [],
    );
  });

  it("sends heartbeats at the period that the server told it", async () => {
    start();
    await until(() => (server.streams[0]?.payloads("heartbeat").length ?? 0) >= 3, "three heartbeats");
  });

  it("makes a VM by cloning, starts it, stops it and deletes it", async () => {
    parallels.addVm({ name: "golden", ipAddresses: ["10.0.0.1"] });
    start();
    await until(() => server.streams[0]?.hello !== undefined, "a hello");
    const stream = server.streams[0];
    assert(stream !== undefined);
    const story = [
      createByClone("golden", { cpuCount: 4, memoryMib: 0, diskMib: 0 }),
      {
        $case: "start",
        start: { readiness: { probe: { $case: "guestTools", guestTools: true }, periodMs: 50, timeoutMs: 5_000 } },
      },
      { $case: "stop", stop: { force: false } },
      { $case: "delete", delete: { force: false } },
    ] as const;
    const states: (string | undefined)[] = [];
    for (const action of story) {
      const command = commandOf(action);
      stream.command(command);
      await until(() => (stream.updatesOf(command.id).at(-1)?.state ?? 0) > 2, `the end of ${action.$case}`);
      const updates = stream.updatesOf(command.id);
      assert.equal(updates[0]?.state, STATE_ACCEPTED);
      assert.equal(updates.at(-1)?.state, STATE_SUCCEEDED, JSON.stringify(updates.at(-1)));
      states.push(updates.at(-1)?.vm?.state);
    }
    assert.deepEqual(states, ["stopped", "running", "stopped", undefined]);
    assert.equal(parallels.vmNamed(poolVmName), undefined);
  });

  async function connected(epoch = 1): Promise<ScriptedStream> {
    await until(() => server.streams.length >= epoch && server.streams[epoch - 1]?.hello !== undefined, "a hello");
    const stream = server.streams[epoch - 1];
    assert(stream !== undefined);
    return stream;
  }

  it("sends a VM's change as soon as the event comes, as an increment", async () => {
    const vm = parallels.addVm({ name: "a" });
    start();
    const stream = await connected();
    await until(() => stream.payloads("heartbeat").length > 0, "an open session");
    parallels.changeVm(vm.id, { state: "running" });
    await until(() => stream.payloads("inventory").length > 0, "an inventory");
    const inventory = stream.payloads("inventory")[0]?.inventory;
    assert.equal(inventory?.whole, false);
    assert.equal(inventory.sequence, 2);
    assert.deepEqual(
      inventory.vms.map(({ id, state }) => [id, state]),
      [[vm.id, "running"]],
    );
  });

  it("sends a whole inventory when the server asks for one", async () => {
    parallels.addVm({ name: "a" });
    start();
    const stream = await connected();
    stream.say({ $case: "sendInventory", sendInventory: { reason: "gap" } });
    await until(() => stream.payloads("inventory").length > 0, "an inventory");
    assert.equal(stream.payloads("inventory")[0]?.inventory.whole, true);
    assert.equal(stream.payloads("inventory")[0]?.inventory.vms.length, 1);
  });

  it("tells the end of a command again in each Hello until it is acknowledged", async () => {
    server.behave({ acknowledges: false });
    parallels.addVm({ name: poolVmName });
    start();
    const command = commandOf({ $case: "start", start: { readiness: undefined } });
    const first = await connected();
    first.command(command);
    await until(() => first.updatesOf(command.id).at(-1)?.state === STATE_SUCCEEDED, "the end");
    first.destroy();
    const second = await connected(2);
    assert.deepEqual(
      second.hello?.commands.map(({ commandId, state }) => [commandId, state]),
      [[command.id, STATE_SUCCEEDED]],
    );
    server.behave({ settings: { heartbeatPeriodMs: 100 } });
    second.destroy();
    const third = await connected(3);
    assert.equal(third.hello?.commands.length, 1);
    await until(() => third.payloads("heartbeat").length > 0, "an open session");
    third.destroy();
    assert.deepEqual((await connected(4)).hello?.commands, []);
  });

  it("goes on with a command while the server is away and tells of it when it is back", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    let finish: () => void = () => undefined;
    parallels.onExecute = () =>
      new Promise((resolve) => {
        finish = () => resolve({ stdout: "done", stderr: "", exitCode: 0 });
      });
    start();
    const command = commandOf({ $case: "exec", exec: { command: ["make"], env: {}, timeoutMs: 60_000 } });
    const first = await connected();
    first.command(command);
    await until(() => parallels.countCalls("execute") === 1, "the call");
    first.destroy();
    finish();
    const second = await connected(2);
    await until(() => {
      const updates = [...(second.hello?.commands ?? []), ...second.updatesOf(command.id)];
      return updates.at(-1)?.exec?.stdout.toString() === "done";
    }, "the result");
    assert.equal(parallels.countCalls("execute"), 1);
  });

  it("refuses what an older epoch commands", async () => {
    parallels.addVm({ name: poolVmName });
    start();
    (await connected()).destroy();
    const second = await connected(2);
    const command = commandOf({ $case: "start", start: { readiness: undefined } }, { epoch: 1 });
    second.command(command);
    await until(() => second.updatesOf(command.id).length > 0, "an answer");
    assert.equal(second.updatesOf(command.id)[0]?.failure?.reason, "StaleEpoch");
  });

  it("leaves a server that knows less than one did before, and obeys one that knows more", async () => {
    const disk = new SimulatedDisk();
    const earlier = await disk.journal();
    await earlier.write({ kind: "epoch", epoch: 3 });
    parallels.addVm({ name: poolVmName });
    start({ journal: await disk.journal() });
    for (const epoch of [1, 2]) {
      const stale = await connected(epoch);
      const command = commandOf({ $case: "start", start: { readiness: undefined } }, { epoch: 9 });
      stale.command(command);
      await until(() => stale.payloads("goodbye").length === 1, "a goodbye");
      assert.equal(stale.payloads("goodbye")[0]?.goodbye.reason, "StaleServer");
      assert.deepEqual(stale.updatesOf(command.id), []);
    }
    const good = await connected(3);
    await until(() => good.payloads("heartbeat").length > 0, "an open session");
    assert.equal(parallels.countCalls("changeState"), 0);
  });

  it("ends a VM whose lease ran out while no server is there", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    parallels.addVm({ name: "by-hand", state: "running" });
    start();
    const stream = await connected();
    const lease = { vmUid: poolVmUid, hostVmName: poolVmName, leaseMs: 300, generation: 1 };
    stream.say({ $case: "leases", leases: { whole: true, leases: [lease] } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    server.close();
    await until(() => parallels.vmNamed(poolVmName) === undefined, "the end of the VM");
    assert.equal(parallels.vms.size, 1);
  });

  it("does not claim that a Mac is empty which it could not list, and says what is wrong", async () => {
    parallels.addVm({ name: "a" });
    parallels.interfere = failing("unreachable", () => true);
    start();
    const stream = await connected();
    assert.equal(stream.hello?.inventory, undefined);
    const reachable = stream.hello?.heartbeat?.conditions.find(({ type }) => type === "ParallelsReachable");
    assert.equal(reachable?.holds, false);
    assert.equal(reachable.reason, "Unreachable");
  });

  it("tells the facts and everything that is there once the Mac answers", async () => {
    parallels.addVm({ name: "a" });
    parallels.interfere = failing("unreachable", () => true);
    start();
    const first = await connected();
    assert.equal(first.hello?.facts?.cpuCount, 0);
    parallels.interfere = () => undefined;
    parallels.setConnected(true);
    const isTold = (): boolean => server.streams.some(({ hello }) => hello?.facts?.cpuCount === 12);
    await until(isTold, "a hello with facts");
    assert.equal(server.streams.at(-1)?.hello?.inventory?.vms.length, 1);
  });

  it("sends a heartbeat at once when a condition stops to hold", async () => {
    server.behave({ settings: { heartbeatPeriodMs: 60_000 } });
    start();
    const stream = await connected();
    await new Promise((resolve) => setImmediate(resolve));
    parallels.disk = { freeMib: 10, totalMib: 1_000 };
    parallels.interfere = failing("unreachable", (call) => call.method === "listVms", 1);
    stream.say({ $case: "sendInventory", sendInventory: { reason: "to make a list fail" } });
    const diskOf = (): boolean | undefined =>
      stream
        .payloads("heartbeat")
        .at(-1)
        ?.heartbeat.conditions.find(({ type }) => type === "DiskAboveReserve")?.holds;
    await until(() => diskOf() === false, "a heartbeat");
  });

  it("closes what it was given, and twice is harmless", async () => {
    const running = start();
    const stream = await connected();
    await until(() => stream.payloads("heartbeat").length > 0, "an open session");
    await Promise.all([running.close(), running.close()]);
    await running.closed;
    assert.equal(parallels.isClosed, true);
    await until(() => stream.payloads("goodbye").length === 1, "a goodbye");
  });

  it("ends when the server refuses the host for good", async () => {
    const running = start();
    (await connected()).goodbye({ reason: "Superseded", retryAfterMs: -1 });
    await running.closed;
    assert.equal(parallels.isClosed, true);
  });

  it("can be closed before it has connected", async () => {
    parallels.interfere = (_call, signal) => hang(signal);
    await start().close();
    assert.equal(parallels.isClosed, true);
  });
});
