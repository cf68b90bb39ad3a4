import assert from "node:assert/strict";
import { toHostVm } from "../../../../agent/inventory/host-vm.ts";
import { Inventory } from "../../../../agent/inventory/inventory.ts";
import { sumUsage } from "../../../../agent/inventory/usage.ts";
import type { ParallelsVm } from "../../../../agent/parallels/api.ts";
import { Inventory as InventoryMessage } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { FakeParallels } from "../../../support/agent/fake-parallels.ts";

function vmOf(fields: Partial<ParallelsVm> & { readonly name: string }): ParallelsVm {
  return new FakeParallels().addVm({ id: fields.name, ...fields });
}

describe("the inventory", () => {
  let inventory: Inventory;
  const list = (...vms: ParallelsVm[]): boolean => inventory.applyList(vms, inventory.mark());

  beforeEach(() => {
    inventory = new Inventory();
  });

  it("tells nothing before the Mac was listed, whatever events say", () => {
    inventory.applyVm(vmOf({ name: "a" }));
    assert.equal(inventory.take(), undefined);
    assert.equal(inventory.sequence, 0);
  });

  it("tells everything first, then only what changed", () => {
    list(vmOf({ name: "a" }), vmOf({ name: "b" }));
    const first = inventory.take();
    assert.equal(first?.whole, true);
    assert.equal(first.vms.length, 2);
    assert.equal(inventory.take(), undefined);
    list(vmOf({ name: "a", state: "running" }));
    const second = inventory.take();
    assert.equal(second?.whole, false);
    assert.deepEqual(
      second.vms.map((vm) => [vm.name, vm.state]),
      [["a", "running"]],
    );
    assert.deepEqual(second.removedIds, ["b"]);
  });

  it("counts what is sent and nothing else", () => {
    list(vmOf({ name: "a" }));
    inventory.take();
    inventory.take();
    inventory.applyState("a", "starting");
    inventory.applyState("a", "running");
    const next = inventory.take();
    assert.equal(next?.sequence, 2);
    assert.equal(next.vms.length, 1);
    assert.equal(next.vms[0]?.state, "running");
  });

  it("takes a doubled event for one, and the uptime for no news", () => {
    list(vmOf({ name: "a", state: "running" }));
    inventory.take();
    inventory.applyState("a", "running");
    list(vmOf({ name: "a", state: "running", uptimeSeconds: 99 }));
    assert.equal(inventory.isWaiting, false);
  });

  it("keeps a state that it does not know as it is", () => {
    list(vmOf({ name: "a" }));
    inventory.take();
    inventory.applyState("a", "dreaming");
    assert.equal(inventory.take()?.vms[0]?.state, "dreaming");
  });

  it("says that a list is needed when an event names a VM that it does not know", () => {
    list();
    assert.equal(inventory.applyState("stranger", "running"), false);
  });

  it("does not let a list undo an event that came while it was made", () => {
    list(vmOf({ name: "a", state: "starting" }), vmOf({ name: "gone" }));
    const mark = inventory.mark();
    inventory.applyState("a", "running");
    inventory.applyRemoval("gone");
    inventory.applyVm(vmOf({ name: "new" }));
    inventory.applyList([vmOf({ name: "a", state: "starting" }), vmOf({ name: "gone" })], mark);
    assert.equal(inventory.find("a")?.state, "running");
    assert.equal(inventory.find("gone"), undefined);
    assert.notEqual(inventory.find("new"), undefined);
    list(vmOf({ name: "a", state: "starting" }));
    assert.equal(inventory.find("a")?.state, "starting");
    assert.equal(inventory.find("new"), undefined);
  });

  it("takes back a removal when the VM comes back", () => {
    list(vmOf({ name: "a" }));
    inventory.take();
    inventory.applyRemoval("a");
    inventory.applyVm(vmOf({ name: "a" }));
    assert.deepEqual(inventory.take()?.removedIds, []);
  });

  it("tells a VM again of which the server has heard what is no longer so, and no other", () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => vmOf({ name, state: "running" }));
    assert(a !== undefined && b !== undefined && c !== undefined);
    list(a, { ...b, state: "stopped" });
    inventory.take();
    for (const vm of [{ ...a, uptimeSeconds: 99 }, b, c]) inventory.correct(toHostVm(vm));
    const corrected = inventory.take();
    assert.deepEqual(
      corrected?.vms.map(({ name, state }) => [name, state]),
      [["b", "stopped"]],
    );
    assert.deepEqual(corrected?.removedIds, ["c"]);
  });

  it("tells of the cache only when it has changed", () => {
    const image = { catalogId: "A", version: "1", architecture: "arm64", sizeMib: 10 };
    list();
    inventory.take();
    inventory.applyImages([image]);
    assert.equal(inventory.take()?.imagesChanged, true);
    inventory.applyImages([{ ...image }]);
    assert.equal(inventory.take(), undefined);
  });

  it("can always be encoded, whatever figures the service reports", () => {
    list(vmOf({ name: "a", cpuCount: 2.5, memoryMib: Number.NaN, diskMib: -1, uptimeSeconds: 1e300 }));
    const message = inventory.take();
    assert(message !== undefined);
    assert.deepEqual(InventoryMessage.decode(InventoryMessage.encode(message).finish()).vms[0]?.resources, {
      cpuCount: 2,
      memoryMib: 0,
      diskMib: 0,
    });
  });
});

describe("the usage", () => {
  it("counts every VM that is not fully stopped, in whatever state", () => {
    const usage = sumUsage(
      ["running", "suspended", "paused", "dreaming", "stopped", "invalid"].map((state) => vmOf({ name: state, state })),
    );
    assert.deepEqual(usage.inUse, { cpuCount: 8, memoryMib: 16_384, diskMib: 4 * 65_536 });
  });

  it("counts the macOS guests among them", () => {
    const usage = sumUsage([
      vmOf({ name: "a", state: "running", isMacos: true }),
      vmOf({ name: "b", state: "suspended", isMacos: true }),
      vmOf({ name: "c", state: "stopped", isMacos: true }),
      vmOf({ name: "d", state: "running" }),
    ]);
    assert.equal(usage.macosGuests, 2);
  });
});
