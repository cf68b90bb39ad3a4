/**
 * The server is gone for good: an agent, a process of its own, ends every VM whose lease runs out within ten seconds of that,
 * and touches nothing else. Killed meanwhile, it goes on where it was.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { Lease } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { asUid, hostVmName } from "../../shared/ids.ts";
import { type RunningMac, startSimulatedMac } from "../../simulator/simulated-mac.ts";
import { commandOf, createByClone } from "../support/agent/commands.ts";
import { type ScriptedServer, startScriptedServer } from "../support/agent/scripted-server.ts";
import { type AgentProcessOptions, spawnAgent, startAgentProcess } from "../support/e2e/agent-process.ts";
import type { MeridianProcess } from "../support/e2e/meridian-process.ts";
import { until } from "../support/e2e/until.ts";

const leasedCount = 12;
/** How long after the end of a lease its VM may still be there. */
const toleranceMs = 10_000;

describe("an agent whose server is gone for good", function () {
  this.timeout(60_000);
  let scratch: string;
  let server: ScriptedServer;
  let mac: RunningMac;
  let options: AgentProcessOptions;
  let agent: MeridianProcess;
  /** How many times the VM was made that was being made when the server went. */
  let madeLate: number;

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), "meridian-agent-lease-"));
    server = await startScriptedServer({ settings: { heartbeatPeriodMs: 200 } });
    mac = await startSimulatedMac({
      instant: true,
      cpuCount: 128,
      memoryMib: 524_288,
      diskMib: 8_388_608,
      vms: [
        { name: "golden", os: "ubuntu" },
        { name: "by-hand", os: "ubuntu", state: "running" },
        { name: nameOf(99), os: "ubuntu", state: "running" },
        ...Array.from({ length: leasedCount }, (_, index) => ({
          name: nameOf(index),
          os: "ubuntu",
          state: index % 3 === 0 ? ("suspended" as const) : ("running" as const),
        })),
      ],
      delays: { list: [2, 10], stop: [100, 300], delete: [100, 300], clone: [4_000, 4_000] },
    });
    madeLate = 0;
    mac.mac.events.subscribe((event) => {
      if (event.type === "vm-added" && event.vm.name === nameOf(50)) madeLate += 1;
    });
    options = { mac, dataDir: join(scratch, "agent"), server: server.address, hostId: "mac-1" };
    agent = await startAgentProcess(options);
  });

  afterEach(async () => {
    await agent.stop("SIGKILL");
    server.close();
    await mac.close();
    await rm(scratch, { recursive: true, force: true });
  });

  /** Tells all leases, one create that will not be finished in time with them, and leaves for ever. */
  async function leaveAfterLeases(leaseMs: number): Promise<number> {
    const stream = server.streams.at(-1);
    assert(stream !== undefined);
    stream.say({ $case: "leases", leases: { whole: true, leases: leasesOf(leaseMs) } });
    const create = commandOf(createByClone("golden"), { vmUid: uidOf(50), hostVmName: nameOf(50), leaseMs });
    stream.command(create);
    const toldAtMs = performance.now();
    await until("the create is accepted, and the leases with it", () => stream.updatesOf(create.id).length > 0);
    server.close();
    return toldAtMs + leaseMs;
  }

  /** Also the copy that was under way, which nothing could stop, has come and gone. */
  async function untilOnlyUnleased(endsAtMs: number): Promise<void> {
    await until("the copy is finished", () => madeLate > 0, endsAtMs + toleranceMs - performance.now());
    const unleased = ["golden", "by-hand", nameOf(99)].sort();
    const names = (): string[] => mac.mac.vms.map(({ name }) => name).sort();
    await until(
      "only VMs without a lease are left",
      () => JSON.stringify(names()) === JSON.stringify(unleased),
      endsAtMs + toleranceMs - performance.now(),
    );
    assert.equal(mac.mac.vms.find(({ name }) => name === "by-hand")?.state, "running");
    assert.equal(mac.mac.vms.find(({ name }) => name === nameOf(99))?.state, "running");
  }

  it("removes every VM with a lease in time, one that is being made included, and no other", async () => {
    const endsAtMs = await leaveAfterLeases(3_000);
    await until("the leases are about to run out", () => performance.now() > endsAtMs - 500);
    assert.equal(mac.mac.vms.filter(({ name }) => name.startsWith("meridian-")).length, leasedCount + 1);
    await untilOnlyUnleased(endsAtMs);
  });

  it("does so when it is killed and started again meanwhile", async () => {
    const endsAtMs = await leaveAfterLeases(3_000);
    await agent.stop("SIGKILL");
    await until("half of the lease is over", () => performance.now() > endsAtMs - 1_500);
    assert.equal(mac.mac.vms.filter(({ name }) => name.startsWith("meridian-")).length, leasedCount + 1);
    agent = spawnAgent(options);
    await untilOnlyUnleased(endsAtMs);
  });
});

function leasesOf(leaseMs: number): Lease[] {
  return Array.from({ length: leasedCount }, (_, index) => ({
    vmUid: uidOf(index),
    hostVmName: nameOf(index),
    leaseMs,
    generation: 1,
  }));
}

function uidOf(index: number): string {
  return String(index).padStart(32, "0");
}

function nameOf(index: number): string {
  return hostVmName(asUid(uidOf(index)), 1);
}
