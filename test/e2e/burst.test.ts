/**
 * Five hundred creates at once on fifty simulated Macs behind a real server process: nothing is overcommitted at any time, what
 * does not fit waits and says why, and in the end the Macs are as they were.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@connectrpc/connect";
import { after, before, describe, it } from "mocha";
import { openTransport } from "../../cli/connection.ts";
import { goldenLinux, goldenMacos } from "../../cli/lab/lab-images.ts";
import { createJitter, type SimulatedHost, startSimulatedHost } from "../../cli/lab/simulated-host.ts";
import { HostService } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { TemplateService } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { Architecture, GuestOs } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { VmStatus_State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { silentLogger } from "../../shared/log.ts";
import type { Vm } from "../../simulator/vm.ts";
import { type ServerProcess, startServerProcess } from "../support/e2e/meridian-process.ts";
import { until } from "../support/e2e/until.ts";

const hostCount = 50;
const vmCount = 500;

describe("five hundred creates at once on fifty Macs", function () {
  this.timeout(90_000);
  let scratch: string;
  let server: ServerProcess;
  let hosts: readonly SimulatedHost[];
  let vms: Client<typeof VmService>;
  let hostClient: Client<typeof HostService>;
  let closeClient: () => void;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "meridian-burst-"));
    server = await startServerProcess(join(scratch, "data"));
    hosts = await Promise.all(Array.from({ length: hostCount }, (_, index) => startHost(server, index)));
    const { transport, close } = openTransport({ server: server.addresses.grpc, timeoutMs: 60_000 });
    closeClient = close;
    vms = createClient(VmService, transport);
    hostClient = createClient(HostService, transport);
    await createClient(TemplateService, transport).createTemplate({
      templateId: "macos",
      template: { spec: templateSpec },
    });
    await until("all hosts are placeable", async () => {
      const answer = await hostClient.listHosts({ pageSize: 1000 });
      return answer.hosts.filter(({ status }) => status?.placeable).length === hostCount;
    });
  });

  after(async () => {
    closeClient();
    await Promise.all(hosts.map((host) => host.close()));
    await server.process.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  it("fills every macOS slot, overcommits nothing, and says of the rest why they wait", async () => {
    const worst = watchMacs(hosts);
    const ids = Array.from({ length: vmCount }, (_, index) => `burst-${index}`);
    await Promise.all(
      ids.map((vmId) => vms.createVm({ vmId, requestId: vmId, vm: { spec: { template: "templates/macos" } } })),
    );
    await until(
      "two VMs run on each Mac",
      async () => (await count("status.state = RUNNING")) === 2 * hostCount,
      60_000,
    );
    const waiting = await vms.listVms({ filter: "status.state = PENDING", pageSize: 1000 });
    assert.equal(waiting.vms.length, vmCount - 2 * hostCount);
    for (const { status } of waiting.vms)
      assert.match(status?.message ?? "", /^waiting .*: 50 hosts have no free macOS slot$/);
    for (const { status } of (await hostClient.listHosts({ pageSize: 1000 })).hosts) {
      assert.equal(status?.macosSlotsUsed, 2);
      assert.ok((status.allocated?.cpuCount ?? 0) <= (status.capacity?.cpuCount ?? 0));
      assert.ok((status.allocated?.memoryMib ?? 0) <= (status.capacity?.memoryMib ?? 0));
    }
    assert.deepEqual(worst.stop(), { macosGuests: 2 });
  });

  it("makes nothing twice when every create is repeated", async () => {
    const ids = Array.from({ length: vmCount }, (_, index) => `burst-${index}`);
    const answers = await Promise.all(
      ids.map((vmId) => vms.createVm({ vmId, requestId: vmId, vm: { spec: { template: "templates/macos" } } })),
    );
    assert.equal(new Set(answers.map(({ vm }) => vm?.uid)).size, vmCount);
    assert.equal((await vms.listVms({ pageSize: 1000 })).vms.length, vmCount);
  });

  it("leaves no VM on any Mac when all are deleted", async () => {
    const { vms: all } = await vms.listVms({ pageSize: 1000 });
    await Promise.all(all.map(({ name }) => vms.deleteVm({ name })));
    await until("all are deleted", async () => (await count("NOT status.state = DELETED")) === 0, 60_000);
    const deleted = await vms.listVms({ filter: "status.state = DELETED", pageSize: 1000 });
    assert.ok(deleted.vms.every(({ status }) => status?.state === VmStatus_State.DELETED));
    for (const { mac } of hosts) {
      assert.deepEqual(mac.vms.map(({ name }) => name).sort(), ["golden-linux", "golden-macos"]);
    }
    for (const { status } of (await hostClient.listHosts({ pageSize: 1000 })).hosts) {
      assert.equal(status?.macosSlotsUsed, 0);
      assert.equal(status.allocated?.memoryMib, 0);
    }
  });

  async function count(filter: string): Promise<number> {
    return (await vms.listVms({ filter, pageSize: 1000 })).vms.length;
  }
});

const templateSpec = {
  source: { case: "hostVm" as const, value: { vmName: goldenMacos.name } },
  guestOs: GuestOs.MACOS,
  architecture: Architecture.ARM64,
  resources: { cpuCount: 4, memoryMib: 8192, diskMib: 65_536 },
  readiness: { probe: { case: "guestTools" as const, value: true }, periodMs: 100, timeoutSeconds: 60 },
};

function startHost({ addresses }: ServerProcess, index: number): Promise<SimulatedHost> {
  return startSimulatedHost({
    servers: [addresses.agent],
    hostId: `mac-${index + 1}`,
    mac: {
      index,
      vms: [goldenMacos, goldenLinux],
      instant: true,
      delays: { clone: [20, 200], start: [10, 100], boot: [10, 200], stop: [10, 50], delete: [10, 50] },
      serviceVersion: index % 2 === 0 ? "1.0.5" : "1.0.4",
      seed: index + 1,
    },
    log: silentLogger,
    agentVersion: "test",
    random: createJitter(index + 1),
  });
}

/** Looks at the Macs themselves again and again, and remembers the worst that it saw. */
function watchMacs(hosts: readonly SimulatedHost[]): { readonly stop: () => { readonly macosGuests: number } } {
  let macosGuests = 0;
  const timer = setInterval(() => {
    for (const { mac } of hosts) macosGuests = Math.max(macosGuests, mac.vms.filter(isMacosGuestOn).length);
  }, 5);
  return {
    stop() {
      clearInterval(timer);
      return { macosGuests };
    },
  };
}

function isMacosGuestOn({ os, state }: Vm): boolean {
  return os === "macosx" && state !== "stopped";
}
