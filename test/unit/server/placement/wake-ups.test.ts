import assert from "node:assert/strict";
import { asHostId } from "../../../../shared/ids.ts";
import { goldenVm, hostVm, wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, hold, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { sized, templateCreate, vmWant } from "../../../support/pool/specs.ts";

let pool: PoolDriver;

beforeEach(async () => {
  pool = await PoolDriver.open();
});
afterEach(() => pool.close());

describe("room that appears wakes the right VM at once:", () => {
  /** A pool of one host that is full, with a VM that waits for room and one that nothing can help. */
  async function fill(): Promise<ScriptedHost> {
    const host = await pool.addHost("mac-1");
    await pool.create("holder", sized(12));
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    return host;
  }

  afterEach(() => {
    assert.equal(pool.vm("later").state, "RUNNING");
    assert.equal(pool.vm("hopeless").state, "PENDING");
  });

  it("a VM is deleted", async () => {
    await fill();
    await pool.submit(vmWant("holder", "deleted"));
  });

  it("a create fails and leaves nothing", async () => {
    const host = await pool.addHost("mac-1");
    host.next("create", hold);
    await pool.create("holder", sized(12));
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await host.report(pool.vm("holder").command ?? assert.fail(), "FAILED");
    await pool.settle();
  });

  it("a host refuses another VM", async () => {
    const host = await pool.addHost("mac-1");
    host.next("create", hold);
    await pool.create("holder", sized(12));
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    await host.report(pool.vm("holder").command ?? assert.fail(), "REFUSED");
    await pool.settle();
  });

  it("a VM vanishes", async () => {
    const host = await fill();
    await host.removeByHand(pool.hostName("holder"));
    await pool.settle();
  });

  it("a host joins", async () => {
    await fill();
    await pool.addHost("mac-2");
  });

  it("a host comes back", async () => {
    const host = await pool.addHost("mac-1");
    await host.disconnect();
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await pool.connect(host);
  });

  it("a host is uncordoned", async () => {
    await pool.addHost("mac-1");
    await pool.changeHost("mac-1", { schedulable: false });
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await pool.changeHost("mac-1", { schedulable: true });
  });

  it("a host's limits are raised", async () => {
    await fill();
    const { limits } = pool.view().hosts.get(asHostId("mac-1"))?.spec ?? assert.fail();
    await pool.changeHost("mac-1", { limits: { ...limits, cpuOvercommit: 2 } });
  });

  it("a foreign VM is stopped", async () => {
    const host = await pool.addHost("mac-1");
    const foreign = hostVm("of-a-person", { state: "running", resources: { cpuCount: 12, memoryMib: 0, diskMib: 0 } });
    host.vms.set(foreign.name, foreign);
    await host.tellInventory(wholeInventory([...host.vms.values()]));
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await host.changeByHand("of-a-person", "stopped");
    await pool.settle();
  });

  it("a preflight holds again", async () => {
    const host = await pool.addHost("mac-1");
    await host.heartbeat({ conditions: [{ type: "Disk", holds: false, reason: "Full", message: "the disk is full" }] });
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await host.heartbeat({ conditions: [{ type: "Disk", holds: true, reason: "Enough", message: "" }] });
    await pool.settle();
  });

  it("disk is freed", async () => {
    const host = await pool.addHost("mac-1");
    await host.heartbeat({ diskFreeMib: 100 });
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await host.heartbeat({ diskFreeMib: 100_000 });
    await pool.settle();
  });

  it("a create is finished, where only so many may go on at once", async () => {
    const host = await pool.addHost("mac-1");
    for (const name of ["a", "b", "c", "d"]) {
      host.next("create", accept);
      await pool.create(name, sized(1));
    }
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await host.finish(pool.vm("a"), pool.vm("a").command ?? assert.fail());
    await pool.settle();
  });

  it("a golden VM appears", async () => {
    const host = await pool.addHost("mac-1", { inventory: wholeInventory([]) });
    await pool.create("hopeless", sized(64));
    await pool.create("later");
    assert.equal(pool.vm("later").state, "PENDING");
    await host.tellInventory(wholeInventory([goldenVm()]));
    await pool.settle();
  });
});

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
