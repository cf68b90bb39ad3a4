import assert from "node:assert/strict";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import type { ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { sized, templateCreate, vmWant } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

describe("the order of placement", () => {
  it("gives freed room to the most urgent, then to the oldest, and lets small ones pass a large one", async () => {
    await pool.addHost("mac-1");
    await pool.create("holder", sized(12));
    await pool.create("large", { ...sized(13), priority: 100 });
    await pool.create("older", sized(6));
    await pool.create("younger", sized(6));
    await pool.create("urgent", { ...sized(6), priority: 60 });
    await pool.submit(vmWant("holder", "deleted"));
    const states = ["large", "urgent", "older", "younger"].map((name) => pool.vm(name).state);
    assert.deepEqual(states, ["PENDING", "RUNNING", "RUNNING", "PENDING"]);
  });

  it("never gives away more than there is, with a thousand VMs at once", async () => {
    const { id } = await pool.submit(templateCreate("macos", { guestOs: "macos" }));
    const hosts: ScriptedHost[] = [];
    for (let count = 0; count < 20; count += 1) hosts.push(await pool.addHost(`mac-${count}`));
    const replies = Array.from({ length: 1000 }, (_, index) => {
      const fields = index % 2 === 0 ? { ...sized((index % 5) + 1), template: id } : sized((index % 7) + 1);
      return pool.create(`vm-${index}`, fields);
    });
    await Promise.all(replies);
    await pool.advance(1000);
    const vms = [...pool.view().vms.values()];
    for (const host of hosts) {
      const here = vms.filter((vm) => vm.host === host.id);
      assert.ok(here.reduce((sum, vm) => sum + vm.resources.cpuCount, 0) <= 12);
      assert.ok(here.filter((vm) => vm.image.guestOs === "macos").length <= 2);
    }
    assert.ok(vms.filter(({ state }) => state === "RUNNING").length >= 40);
    assert.equal(vms.filter(({ state }) => state === "RUNNING" || state === "PENDING").length, 1000);
    assert.equal(pool.view().waiting.size, pool.view().countVms("PENDING"));
  });
});
