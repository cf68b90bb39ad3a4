import assert from "node:assert/strict";
import { buildMac } from "./builders.ts";
import { settle } from "./manual-clock.ts";

describe("a simulated Mac's VMs", () => {
  it("are found by id or name, in any case", async () => {
    const { mac } = buildMac({ vms: [{ name: "Golden" }] });
    const [vm] = await mac.listVms();
    assert.equal((await mac.findVm("golden")).id, vm?.id);
    assert.equal((await mac.findVm(vm?.id.toUpperCase() ?? "")).name, "Golden");
  });

  it("those that ran before the story begins have booted", async () => {
    const { mac } = buildMac({ vms: [{ name: "one", state: "running" }], delays: { boot: [8_000, 8_000] } });
    await settle();
    assert.notEqual(mac.person.vm("one").address, "");
  });

  it("an unknown one is denied only after five seconds", async () => {
    const { mac, clock } = buildMac({ delays: { unknownVm: [5_000, 5_000] } });
    let isDenied = false;
    const denied = mac.findVm("nobody").catch((error: unknown) => {
      isDenied = true;
      return error;
    });
    await clock.advance(4_900);
    assert.equal(isDenied, false);
    await clock.advance(200);
    assert.match(String(await denied), /error 404: Virtual machine not found/);
  });

  it("a VM that appears during the long look is found", async () => {
    const { mac, clock } = buildMac({ delays: { unknownVm: [5_000, 5_000] } });
    const found = mac.findVm("late");
    await clock.advance(1_000);
    mac.person.createVm({ name: "late" });
    await clock.advance(5_000);
    assert.equal((await found).name, "late");
  });

  it("a clone keeps the MAC address that the source loses", async () => {
    const { mac } = buildMac({
      vms: [{ name: "golden", os: "ubuntu", cpuCount: 2, memoryMib: 2_048, diskMib: 10_000 }],
    });
    const before = mac.person.vm("golden").macAddress;
    const clone = await mac.cloneVm("golden", "copy");
    assert.equal(clone.macAddress, before);
    assert.notEqual(mac.person.vm("golden").macAddress, before);
    assert.deepEqual(
      [clone.os, clone.cpuCount, clone.memoryMib, clone.diskMib, clone.state],
      ["ubuntu", 2, 2_048, 10_000, "stopped"],
    );
  });

  it("a clone is refused of a running VM, under a taken name, and on a full disk", async () => {
    const { mac } = buildMac({ vms: [{ name: "golden" }, { name: "busy", state: "running" }] });
    await assert.rejects(mac.cloneVm("busy", "x"), { status: 404, message: /running/ });
    await assert.rejects(mac.cloneVm("golden", "Busy"), { status: 404, message: /already exists/ });
    mac.setDiskFree(1_000);
    await assert.rejects(mac.cloneVm("golden", "x"), { status: 404, message: /no space left/ });
    assert.equal(mac.vms.length, 2);
  });

  it("the disk counts VMs, cached images and what people keep, and is free again after a deletion", async () => {
    const { mac } = buildMac({ diskMib: 500_000, diskUsedMib: 100_000, vms: [{ name: "golden", diskMib: 50_000 }] });
    assert.equal(mac.diskFreeMib, 350_000);
    const clone = await mac.cloneVm("golden", "copy");
    assert.equal(mac.diskFreeMib, 300_000);
    await mac.deleteVm(clone.id, false);
    assert.equal(mac.diskFreeMib, 350_000);
    mac.setDiskFree(7);
    assert.equal(mac.diskFreeMib, 7);
  });

  it("a deletion without force takes only what is off, and with force all but a paused VM", async () => {
    const { mac } = buildMac({
      vms: [
        { name: "off" },
        { name: "on", state: "running" },
        { name: "saved", state: "suspended" },
        { name: "paused", state: "paused" },
        { name: "broken", state: "invalid" },
      ],
    });
    await assert.rejects(mac.deleteVm("on", false), { status: 400, message: "error: VM is not stopped" });
    await assert.rejects(mac.deleteVm("saved", false), { status: 400 });
    await assert.rejects(mac.deleteVm("paused", true), { status: 404, message: /paused/ });
    for (const name of ["off", "broken"]) await mac.deleteVm(name, false);
    for (const name of ["on", "saved"]) await mac.deleteVm(name, true);
    assert.deepEqual(
      mac.vms.map((vm) => vm.name),
      ["paused"],
    );
  });

  it("a VM that is started while its deletion is under way stays", async () => {
    const { mac, clock } = buildMac({ vms: [{ name: "one" }], delays: { delete: [1_000, 1_000] } });
    const failed = assert.rejects(mac.deleteVm("one", false), { status: 404, message: /running/ });
    await clock.advance(500);
    mac.person.startVm("one");
    await clock.advance(1_000);
    await failed;
    assert.equal(mac.vms.length, 1);
  });

  it("is renamed only while it is stopped, and not to a taken name", async () => {
    const { mac } = buildMac({ vms: [{ name: "one" }, { name: "two", state: "running" }] });
    await assert.rejects(mac.renameVm("two", "three"), { status: 400, message: "error: VM is not stopped" });
    await assert.rejects(mac.renameVm("one", "two"), { status: 404 });
    assert.equal((await mac.renameVm("one", "three", "new")).description, "new");
    assert.equal(mac.person.vm("three").state, "stopped");
  });

  it("leaves the list when it is unregistered and comes back with its resources and a new MAC address", async () => {
    const { mac } = buildMac({ vms: [{ name: "one", os: "ubuntu", cpuCount: 6 }] });
    const { macAddress } = mac.person.vm("one");
    await mac.unregisterVm("one");
    assert.equal(mac.vms.length, 0);
    await assert.rejects(mac.registerVm({ path: "/nowhere" }), { status: 404 });
    const vm = await mac.registerVm({ path: "/Users/ci/Parallels/one.pvm/", name: "two" });
    assert.deepEqual([vm.name, vm.os, vm.cpuCount], ["two", "ubuntu", 6]);
    assert.notEqual(vm.macAddress, macAddress);
    await assert.rejects(mac.registerVm({ path: "/Users/ci/Parallels/one.pvm" }), { status: 404 });
  });

  it("has a slot, and so an address, of its own that is not used again at once", async () => {
    const { mac } = buildMac({ index: 3, vms: [{ name: "a", os: "linux" }] });
    mac.person.startVm("a");
    await settle();
    assert.equal(mac.person.vm("a").address, "127.0.16.1");
    mac.person.deleteVm("a");
    mac.person.createVm({ name: "b", os: "linux", state: "running" });
    await settle();
    assert.equal(mac.person.vm("b").address, "127.0.16.2");
  });
});

describe("the configuration of simulated VMs", () => {
  const set = (group: string, value: string) => ({ group, operation: "set", value, options: [] });

  it("needs the VM stopped, and answers with the first error after trying all", async () => {
    const { mac } = buildMac({ vms: [{ name: "one" }, { name: "on", state: "running" }] });
    await mac.configureVm("one", [set("cpu", "6"), set("memory", "4096")]);
    assert.deepEqual([mac.person.vm("one").cpuCount, mac.person.vm("one").memoryMib], [6, 4_096]);
    await assert.rejects(mac.configureVm("on", [set("cpu", "6")]), {
      status: 400,
      message: "error: VM is not stopped",
    });
    await assert.rejects(mac.configureVm("one", [set("cpu", "many"), set("memory", "1024")]), { message: /Atoi/ });
    assert.equal(mac.person.vm("one").memoryMib, 1_024);
  });

  it("gives a new MAC address by the custom command and by the device group", async () => {
    const { mac } = buildMac({ vms: [{ name: "one" }] });
    const addresses = new Set([mac.person.vm("one").macAddress]);
    const mac0 = [
      { flag: "device-set", value: "net0" },
      { flag: "mac", value: "auto" },
    ];
    await mac.configureVm("one", [{ group: "cmd", operation: "set", value: "", options: mac0 }]);
    addresses.add(mac.person.vm("one").macAddress);
    await mac.configureVm("one", [{ group: "device", operation: "set", value: "net0", options: mac0.slice(1) }]);
    addresses.add(mac.person.vm("one").macAddress);
    assert.equal(addresses.size, 3);
  });

  it("a rename by its machine group keeps the quotes that the service adds", async () => {
    const { mac } = buildMac({ vms: [{ name: "one" }] });
    await mac.configureVm("one", [{ group: "machine", operation: "rename", value: "two", options: [] }]);
    assert.equal(mac.vms[0]?.name, '"two"');
  });
});
