/**
 * An agent that is killed in the middle of its work: fifty VMs run and ten are being made on a simulated Mac whose local API
 * goes on without it. The fifty notice nothing, the ten are made once, and no second agent gets at the first one's memory.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { after, before, describe, it } from "mocha";
import { openTransport } from "../../cli/connection.ts";
import { HostService } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { TemplateService } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmService } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { parseHostVmName } from "../../shared/ids.ts";
import { type RunningMac, startSimulatedMac } from "../../simulator/simulated-mac.ts";
import type { Vm } from "../../simulator/vm.ts";
import { type AgentProcessOptions, spawnAgent, startAgentProcess } from "../support/e2e/agent-process.ts";
import { type MeridianProcess, type ServerProcess, startServerProcess } from "../support/e2e/meridian-process.ts";
import { until } from "../support/e2e/until.ts";

const runningCount = 50;
const makingCount = 10;
const hostId = "mac-1";

describe("an agent that is killed while fifty VMs run and ten are being made", function () {
  this.timeout(120_000);
  let scratch: string;
  let server: ServerProcess;
  let mac: RunningMac;
  let options: AgentProcessOptions;
  let agent: MeridianProcess;
  let vms: Client<typeof VmService>;
  let closeClient: () => void;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "meridian-agent-restart-"));
    server = await startServerProcess(join(scratch, "server"));
    mac = await startSimulatedMac({
      instant: true,
      cpuCount: 256,
      memoryMib: 1_048_576,
      diskMib: 8_388_608,
      vms: [{ name: "golden", os: "ubuntu", cpuCount: 1, memoryMib: 1_024, diskMib: 8_192 }],
      delays: { clone: [80, 160], configure: [10, 20], start: [50, 150], boot: [50, 150], stop: [20, 50] },
    });
    options = { mac, dataDir: join(scratch, "agent"), server: server.addresses.agent, hostId };
    agent = await startAgentProcess(options);
    const { transport, close } = openTransport({ server: server.addresses.grpc, timeoutMs: 60_000 });
    closeClient = close;
    vms = createClient(VmService, transport);
    await createClient(TemplateService, transport).createTemplate({
      templateId: "linux",
      template: { spec: templateSpec },
    });
    const hosts = createClient(HostService, transport);
    await until("the host is placeable", async () => {
      const { host } = await hosts.getHost({ name: `hosts/${hostId}` });
      return host?.status?.placeable === true;
    });
    await hosts.updateHost({
      host: { name: `hosts/${hostId}`, spec: { limits: { parallelCreates: makingCount } } },
      updateMask: { paths: ["spec.limits.parallel_creates"] },
    });
  });

  after(async () => {
    closeClient();
    await agent.stop("SIGKILL");
    await server.process.stop();
    await mac.close();
    await rm(scratch, { recursive: true, force: true });
  });

  it("leaves the fifty untouched, and finishes the ten once", async () => {
    await createVms("running", runningCount);
    await until("fifty run", async () => (await countRunning()) === runningCount, 60_000);
    const before = ownVms().map(describeVm);
    const watch = watchStates(ownVms());
    const restarts = 4;

    await createVms("making", makingCount);
    await until("some are being made", () => ownVms().length > runningCount);
    // Killed again and again, each time a little further on.
    for (let restart = 0; restart < restarts; restart += 1) {
      await agent.stop("SIGKILL");
      agent = await startAgentProcess(options);
    }
    await until("all run", async () => (await countRunning()) === runningCount + makingCount, 60_000);

    assert.deepEqual(watch.stop(), []);
    const now = ownVms();
    const firstFifty = new Set(before.map(({ id }) => id));
    assert.deepEqual(now.filter(({ id }) => firstFifty.has(id)).map(describeVm), before);
    assert.equal(now.length, runningCount + makingCount);
    assert.equal(new Set(now.map(({ name }) => name)).size, now.length);
    assert.equal(new Set(mac.mac.vms.map(({ macAddress }) => macAddress)).size, mac.mac.vms.length);
    // The model counts more than one for a boot; the ten took as many as the fifty.
    assert.equal(new Set(now.map(({ bootCount }) => bootCount)).size, 1);
    assert.deepEqual(
      (await vms.listVms({ pageSize: 1000 })).vms
        .map(({ status }) => status?.attempt ?? 0)
        .filter((attempt) => attempt > 1),
      [],
    );
  });

  it("keeps a second agent from its data directory", async () => {
    const second = await spawnAgent(options).end();
    assert.equal(second.exitCode, 1);
    assert.match(second.stderr, /another agent \(process \d+\) has the data directory/);
    assert.equal(agent.isRunning, true);
  });

  it("lets a guest that runs be deleted by the agent that took its place", async () => {
    const { vms: all } = await vms.listVms({ pageSize: 1000 });
    await Promise.all(all.map(({ name }) => vms.deleteVm({ name })));
    await until("no VM of the pool's is left", () => ownVms().length === 0, 60_000);
    assert.deepEqual(
      mac.mac.vms.map(({ name }) => name),
      ["golden"],
    );
  });

  async function createVms(prefix: string, count: number): Promise<void> {
    const ids = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
    await Promise.all(
      ids.map((vmId) => vms.createVm({ vmId, requestId: vmId, vm: { spec: { template: "templates/linux" } } })),
    );
  }

  async function countRunning(): Promise<number> {
    return (await vms.listVms({ filter: "status.state = RUNNING", pageSize: 1000 })).vms.length;
  }

  function ownVms(): readonly Vm[] {
    return mac.mac.vms.filter(({ name }) => parseHostVmName(name) !== undefined);
  }
});

const templateSpec = {
  source: { case: "hostVm" as const, value: { vmName: "golden" } },
  guestOs: GuestOs.LINUX,
  architecture: Architecture.ARM64,
  resources: { cpuCount: 2, memoryMib: 2_048, diskMib: 8_192 },
  readiness: { probe: { case: "guestTools" as const, value: true }, periodMs: 100, timeoutSeconds: 60 },
};

function describeVm({ id, name, state, bootCount, macAddress }: Vm) {
  return { id, name, state, bootCount, macAddress };
}

/** Looks at the VMs themselves again and again; which were ever seen in another state than running. */
function watchStates(vms: readonly Vm[]): { readonly stop: () => readonly string[] } {
  const disturbed = new Set<string>();
  const timer = setInterval(() => {
    for (const { name, state } of vms) if (state !== "running") disturbed.add(`${name} was ${state}`);
  }, 5);
  return {
    stop() {
      clearInterval(timer);
      return [...disturbed];
    },
  };
}
