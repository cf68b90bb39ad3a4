/** The leases that a real server gives, after that server was killed: the Mac alone sees to it that they end. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { goldenLinux } from "../../cli/lab/lab-images.ts";
import { type RunningMac, startSimulatedMac } from "../../simulator/simulated-mac.ts";
import { startAgentProcess } from "../support/e2e/agent-process.ts";
import { type MeridianProcess, type ServerProcess, startServerProcess } from "../support/e2e/meridian-process.ts";
import { PoolClient } from "../support/e2e/pool-client.ts";
import { until } from "../support/e2e/until.ts";

/** The shortest that a server gives. */
const leaseMs = 10_000;
/** How long after the end of a lease its VM may still be there. */
const toleranceMs = 10_000;

describe("a VM's lease after its server was killed for good", function () {
  this.timeout(60_000);
  let scratch: string;
  let server: ServerProcess;
  let mac: RunningMac;
  let agent: MeridianProcess;
  let client: PoolClient;

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), "meridian-lease-of-server-"));
    server = await startServerProcess(join(scratch, "server"));
    mac = await startSimulatedMac({
      instant: true,
      vms: [goldenLinux],
      delays: { stop: [50, 150], delete: [50, 150] },
    });
    agent = await startAgentProcess({
      mac,
      dataDir: join(scratch, "agent"),
      server: server.addresses.agent,
      hostId: "mac-1",
    });
    client = new PoolClient(server.addresses.grpc);
    await client.createLinuxTemplate();
    await until("the host is placeable", async () => (await client.countPlaceableHosts()) === 1);
  });

  afterEach(async () => {
    client.close();
    await agent.stop("SIGKILL");
    await server.process.stop("SIGKILL");
    await mac.close();
    await rm(scratch, { recursive: true, force: true });
  });

  it("ends the VM that has it, in time and not before, and no other", async () => {
    const leased = await create("leased", { seconds: BigInt(leaseMs / 1000), nanos: 0 });
    const kept = await create("kept");
    await until("both run", async () => (await client.listVms("status.state = RUNNING")).length === 2);
    await server.process.stop("SIGKILL");
    const endsAtMs = leased.askedAtMs + leaseMs;
    // Told a moment after it was asked for, a lease never ends before it was promised to.
    await until("the lease is about to run out", () => performance.now() > endsAtMs - 200, leaseMs);
    assert.equal(isThere(leased.uid), true);
    await until("the leased VM is gone", () => !isThere(leased.uid), endsAtMs + toleranceMs - performance.now());
    assert.equal(mac.mac.vms.find(({ name }) => name.includes(kept.uid))?.state, "running");
    assert.equal(mac.mac.vms.length, 2);
  });

  async function create(
    vmId: string,
    leaseDuration?: { readonly seconds: bigint; readonly nanos: number },
  ): Promise<{ readonly uid: string; readonly askedAtMs: number }> {
    const askedAtMs = performance.now();
    const spec = { template: "templates/linux", ...(leaseDuration === undefined ? {} : { leaseDuration }) };
    const { vm } = await client.vms.createVm({ vmId, requestId: vmId, vm: { spec } });
    assert.ok(vm !== undefined && vm.uid !== "");
    return { uid: vm.uid, askedAtMs };
  }

  function isThere(uid: string): boolean {
    return mac.mac.vms.some(({ name }) => name.includes(uid));
  }
});
