/** The local Parallels API of a Mac fails while its VMs are made, started, stopped and deleted. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, it } from "mocha";
import { required } from "../../shared/assert.ts";
import { VmStatus_State as State } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { RunningMac } from "../../simulator/simulated-mac.ts";
import { LabPool } from "../support/e2e/lab-pool.ts";

/** How long the API is away, in ms. */
const awayMs = 500;

describe("the local Parallels API of a Mac", function () {
  this.timeout(60_000);
  let pool: LabPool;

  before(async () => {
    pool = await LabPool.open({ hosts: 1 });
  });
  after(() => pool.close());

  const service = (): RunningMac => required(pool.hosts[0]?.service, "service of the Mac");

  it("goes away and comes back: what was under way is finished", async () => {
    await failDuring("away", async () => {
      await service().goDown();
      await delay(awayMs);
      await service().comeBack();
    });
  });

  it("starts anew, with all tokens void and all jobs forgotten: what was under way is finished", async () => {
    await failDuring("anew", () => service().restart());
  });

  it("says nothing on its event socket: what happens is seen all the same", async () => {
    const { faults } = service().mac;
    await failDuring("silent", async () => {
      faults.areEventsSilent = true;
      await delay(awayMs);
    });
    faults.areEventsSilent = false;
  });

  /** VMs in several phases meet the failure; each gets where it is wanted, and nothing is left in the end. */
  async function failDuring(name: string, fail: () => Promise<void>): Promise<void> {
    const [running, stopping, deleting] = await Promise.all(
      ["running", "stopping", "deleting"].map((phase) => pool.createVm(`${name}-${phase}`)),
    );
    const vms = [running, stopping, deleting].map((vm) => required(vm, "VM"));
    await Promise.all(vms.map(({ id }) => pool.untilVm(id, State.RUNNING)));
    const made = await pool.createVm(`${name}-made`);
    await pool.stopVm(required(stopping, "VM"));
    await pool.deleteVm(required(deleting, "VM"));
    await fail();
    await Promise.all([
      pool.untilVm(`${name}-running`, State.RUNNING),
      pool.untilVm(made.id, State.RUNNING),
      pool.untilVm(`${name}-stopping`, State.STOPPED),
      pool.untilVm(`${name}-deleting`, State.DELETED),
    ]);
    // A clone whose call was cut off appears by itself and may have its source's MAC address: it is removed and made again.
    assert.deepEqual(await pool.settle({ mayDiscard: true }), []);
  }
});
