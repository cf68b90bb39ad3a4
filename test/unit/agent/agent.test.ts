import assert from "node:assert/strict";
import { type Agent, startAgent } from "../../../agent/agent.ts";
import { CommandUpdate_State } from "../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { silentLogger } from "../../../shared/log.ts";
import { commandOf, createByClone, poolVmName } from "../../support/agent/commands.ts";
import { FakeParallels } from "../../support/agent/fake-parallels.ts";
import { type ScriptedServer, startScriptedServer } from "../../support/agent/scripted-server.ts";
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

  function start(): Agent {
    agent = startAgent({
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
});
