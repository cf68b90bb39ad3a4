/**
 * The link between agent and server fails in each phase of a VM's life, in each way: five Macs, each with a VM in another
 * phase, lose their links at the same moment.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, it } from "mocha";
import { VmStatus_State as State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { AccountedVm } from "../support/e2e/account.ts";
import { LabPool } from "../support/e2e/lab-pool.ts";
import type { LinkFault } from "../support/e2e/tcp-proxy.ts";

/** Long enough for a VM to get further, or be gone, behind a link that is down. */
const brokenMs = 400;
const faults: readonly LinkFault[] = ["cut", "stall", "stall to-server", "stall to-agent", "delay"];

describe("a link between agent and server that fails in each phase of a VM's life", function () {
  this.timeout(60_000);
  let pool: LabPool;

  before(async () => {
    // Long enough for a phase to be seen.
    const delays = { clone: 150, start: 100, boot: 100, stop: 150, delete: 150 } as const;
    pool = await LabPool.open({
      hosts: 5,
      delays: Object.fromEntries(Object.entries(delays).map(([name, ms]) => [name, [ms, ms] as const])),
    });
  });
  after(() => pool.close());

  for (const fault of faults) {
    it(`(${fault}) leaves every VM as it is wanted once it is back`, async () => {
      const created = await pool.createVm(id(fault, "placed"), 0);
      const starting = await pool.createVm(id(fault, "starting"), 1);
      const [running, stopping, deleting] = await Promise.all([
        makeRunning(fault, "running", 2),
        makeRunning(fault, "stopping", 3),
        makeRunning(fault, "deleting", 4),
      ]);
      await Promise.all([pool.untilVm(starting.id, State.STARTING, State.RUNNING), pool.stopVm(stopping)]);
      await Promise.all([pool.untilVm(stopping.id, State.STOPPING, State.STOPPED), pool.deleteVm(deleting)]);
      for (const proxy of pool.proxies) proxy.breakLink(fault);
      // Asked for while the link is down.
      const asked = await pool.createVm(id(fault, "asked"), 2);
      await delay(brokenMs);
      for (const proxy of pool.proxies) proxy.heal();
      await Promise.all([
        ...[created, starting, running, asked].map((vm) => pool.untilVm(vm.id, State.RUNNING)),
        pool.untilVm(stopping.id, State.STOPPED),
        pool.untilVm(deleting.id, State.DELETED),
      ]);
      assert.deepEqual(await pool.settle(), []);
    });
  }

  async function makeRunning(fault: LinkFault, phase: string, host: number): Promise<AccountedVm> {
    const vm = await pool.createVm(id(fault, phase), host);
    await pool.untilVm(vm.id, State.RUNNING);
    return vm;
  }
});

function id(fault: LinkFault, phase: string): string {
  return `${fault.replaceAll(" ", "-")}-${phase}`;
}
