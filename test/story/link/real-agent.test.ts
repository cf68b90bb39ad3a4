import assert from "node:assert/strict";
import { type Agent, startAgent } from "../../../agent/agent.ts";
import { systemClock } from "../../../shared/clock.ts";
import { asHostId } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import { createInMemoryApi } from "../../../simulator/in-memory-api.ts";
import { SimulatedMac } from "../../../simulator/mac.ts";
import { until } from "../../unit/server/sessions/agent-client.ts";
import { Link } from "../../unit/server/sessions/link-fixture.ts";

/** The agent as it runs on a Mac, on a simulated one, against the server's engine and sessions. */
describe("the link between a real agent and the server", () => {
  let link: Link;
  let mac: SimulatedMac;
  let agent: Agent;
  beforeEach(async () => {
    link = await Link.start();
    mac = new SimulatedMac(
      { instant: true, vms: [{ name: "golden", os: "ubuntu" }], delays: { clone: [300, 300] } },
      systemClock,
    );
    agent = startAgentOn(mac, link);
    await until(async () => (await link.contact())?.isConnected === true, "the agent");
    await link.createTemplate("golden", { kind: "host-vm", vmName: "golden" });
  });
  afterEach(async () => {
    await agent.close();
    await link.close();
  });

  const owned = (): string[] => mac.vms.map(({ name }) => name).filter((name) => name.startsWith("meridian-"));

  it("makes a VM, runs it, runs a command in it, and takes it away without residue", async () => {
    await link.createVm("build", "golden", { readiness: { probe: { kind: "none" }, periodMs: 50, timeoutMs: 5000 } });
    const vm = await link.untilVm("build", "RUNNING");
    assert.equal(owned().length, 1);
    const { exec } = await link.sessions.calls.call(
      asHostId("mac-1"),
      { kind: "exec", hostVmId: vm.sight?.id ?? "", command: ["echo", "hello"], env: {} },
      { timeoutMs: 5000, signal: AbortSignal.timeout(5000) },
    );
    assert.ok(exec !== undefined);
    assert.equal(Buffer.from(exec.stdout).toString().trim(), "hello");
    await link.deleteVm("build");
    await link.untilVm("build", "DELETED");
    assert.deepEqual(owned(), []);
  });

  it("goes on where it was when the server is killed while a VM is made", async () => {
    await link.createVm("build", "golden", { readiness: { probe: { kind: "none" }, periodMs: 50, timeoutMs: 5000 } });
    await link.untilVm("build", "CREATING");
    link.kill();
    const { disk, port } = link;
    link = await Link.start(disk, port);
    await link.untilVm("build", "RUNNING");
    assert.equal((await link.host())?.epoch, 2);
    assert.equal(owned().length, 1);
  });

  it("gives the agent's newer run the host, without a word about VMs that run", async () => {
    await link.createVm("build", "golden", { readiness: { probe: { kind: "none" }, periodMs: 50, timeoutMs: 5000 } });
    const before = await link.untilVm("build", "RUNNING");
    const older = agent;
    agent = startAgentOn(mac, link);
    await older.closed;
    await until(async () => (await link.host())?.epoch === 2, "the newer run");
    assert.equal((await link.vm("build")).stateSinceMs, before.stateSinceMs);
  });
});

function startAgentOn(mac: SimulatedMac, link: Link): Agent {
  return startAgent({
    servers: [link.agentAddress],
    hostId: "mac-1",
    parallels: createInMemoryApi(mac),
    log: silentLogger,
    agentVersion: "0.1.0",
    random: () => 0.5,
    bootId: "boot-1",
  });
}
