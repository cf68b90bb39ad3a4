import assert from "node:assert/strict";
import { stateForbids } from "../../../simulator/service-error.ts";
import { buildMac } from "./builders.ts";
import { settle } from "./manual-clock.ts";

describe("the faults of a simulated Mac", () => {
  it("a failing verb fails as often as told, in the words of prlctl, and changes nothing", async () => {
    const { mac, told } = buildMac({ vms: [{ name: "one" }] });
    mac.faults.fail("start", { error: "Failed to start the VM: no.", times: 2 });
    for (let round = 0; round < 2; round += 1) {
      await assert.rejects(mac.changeState("one", "start"), {
        status: 404,
        message: "Failed to start the VM: no.\n, err: exit status 255",
      });
      assert.equal(mac.person.vm("one").state, "stopped");
    }
    assert.deepEqual(told.slice(0, 2), ["one stopped->starting", "one starting->stopped"]);
    await mac.changeState("one", "start");
  });

  it("a failure can be any error of the service, and can be cleared", async () => {
    const { mac } = buildMac({ vms: [{ name: "one" }] });
    mac.faults.fail("clone", { error: stateForbids("VM is odd") });
    await assert.rejects(mac.cloneVm("one", "two"), { status: 400, message: "error: VM is odd" });
    mac.faults.clear("clone");
    await mac.cloneVm("one", "two");
  });

  it("a rate fails about so many calls, and the same ones for the same seed", async () => {
    const outcomes = async (): Promise<string> => {
      const { mac } = buildMac({ failRates: { list: 0.3 }, seed: 7 });
      let line = "";
      for (let call = 0; call < 300; call += 1)
        line += await mac.listVms().then(
          () => ".",
          () => "x",
        );
      return line;
    };
    const line = await outcomes();
    const failedCount = line.replaceAll(".", "").length;
    assert(failedCount > 60 && failedCount < 120, `${failedCount} of 300 failed`);
    assert.equal(await outcomes(), line);
  });

  it("a slow verb takes longer, and others do not", async () => {
    const { mac, clock } = buildMac({ vms: [{ name: "one" }] });
    mac.faults.slow("list", 5_000);
    let isListed = false;
    void mac.listVms().then(() => (isListed = true));
    await mac.findVm("one");
    await clock.advance(4_999);
    assert.equal(isListed, false);
    await clock.advance(1);
    await settle();
    assert.equal(isListed, true);
  });

  it("a hanging verb goes on only when the fault is cleared", async () => {
    const { mac, clock } = buildMac({ vms: [{ name: "one" }] });
    mac.faults.hang("start");
    const started = mac.changeState("one", "start");
    await clock.advance(3_600_000);
    assert.equal(mac.person.vm("one").state, "starting");
    mac.faults.clear();
    await started;
    assert.equal(mac.person.vm("one").state, "running");
  });

  it("delays stay within their range and follow the seed", () => {
    const draw = (seed: number): number[] => {
      const { mac } = buildMac({ seed, delays: { clone: [1_000, 4_000] } });
      return Array.from({ length: 100 }, () => mac.faults.draw("clone"));
    };
    assert(draw(1).every((delayMs) => delayMs >= 1_000 && delayMs <= 4_000));
    assert.deepEqual(draw(1), draw(1));
    assert.notDeepEqual(draw(1), draw(2));
  });
});

describe("a person at a simulated Mac", () => {
  it("creates, starts, renames, stops and deletes VMs, told by the same events", async () => {
    const { mac, told } = buildMac();
    mac.person.createVm({ name: "mine" });
    mac.person.startVm("mine");
    await settle();
    mac.person.renameVm("mine", "yours");
    mac.person.stopVm("yours");
    mac.person.deleteVm("yours");
    assert.deepEqual(told, [
      "vm-added mine",
      "mine stopped->starting",
      "mine starting->running",
      "vm-updated mine",
      "macos-vms-running 1",
      "vm-updated mine with address",
      "vm-updated yours with address",
      "yours running->stopping",
      "yours stopping->stopped",
      "vm-updated yours",
      "macos-vms-running 0",
      "vm-removed",
      "disk-space-changed",
    ]);
  });

  it("finds guests that switch themselves off, or never get an address, or do not answer", async () => {
    const { mac } = buildMac({ vms: [{ name: "a" }, { name: "b", os: "linux" }, { name: "c" }] });
    mac.person.withholdAddress("b");
    for (const name of ["a", "b", "c"]) await mac.changeState(name, "start");
    await settle();
    mac.person.shutGuestDown("a");
    mac.person.muteGuest("c");
    assert.equal(mac.person.vm("a").state, "stopped");
    assert.deepEqual([mac.person.vm("b").state, mac.person.vm("b").address], ["running", ""]);
    assert.notEqual(mac.person.vm("c").address, "");
    for (const name of ["b", "c"]) assert.equal((await mac.execute(name, "true")).exitCode, 255);
  });

  it("a VM whose name contains mac is counted among the macOS guests by the service alone", async () => {
    const { mac, told } = buildMac({ vms: [{ name: "machine-1", os: "ubuntu" }], macosGuestMax: 0 });
    await mac.changeState("machine-1", "start");
    assert(told.includes("macos-vms-running 1"));
  });
});
