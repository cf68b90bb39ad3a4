import assert from "node:assert/strict";
import type { VmAdopt } from "../../../../server/pool/events/vms.ts";
import { asVmId, hostVmName } from "../../../../shared/ids.ts";
import { changedInventory, hostVm } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { hold, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { defaultGoldenVm, uidFor, vmSpec, vmWant } from "../../../support/pool/specs.ts";

describe("adoption", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  const stands = async (name: string, state = "running"): Promise<void> => {
    const vm = hostVm(name, { state, os: "win-11" });
    host.vms.set(name, vm);
    await host.tellInventory(changedInventory([vm]));
  };
  const adopt = (reference: string, fields: Partial<VmAdopt> = {}): VmAdopt => {
    const { template: _template, wanted: _wanted, ...spec } = vmSpec();
    return {
      type: "vm-adopt",
      id: asVmId("taken"),
      uid: uidFor("taken"),
      host: host.id,
      hostVm: reference,
      spec,
      ...fields,
    };
  };

  it("makes a VM of others the pool's, as it is, without a moment in which it counts twice or not at all", async () => {
    await stands("Windows 11");
    const before = pool.view().ledger(host.id).cpuTaken;
    const vm = await pool.submit(adopt("Windows 11"));
    assert.equal(vm.state, "RUNNING");
    assert.equal(vm.spec.wanted, "running");
    assert.equal(vm.image.guestOs, "windows");
    assert.equal(vm.sight?.name, "Windows 11");
    assert.equal(pool.view().ledger(host.id).cpuTaken, before);
    const batch = pool.batches.at(-1);
    assert.deepEqual(batch?.changes.map(({ kind }) => kind).sort(), ["history", "host", "vm"]);
    assert.deepEqual(host.receivedKinds, []);
  });

  it("finds the VM by its id ever after, whatever it is called", async () => {
    await stands("Windows 11", "stopped");
    await pool.submit(adopt("{Windows 11}"));
    assert.equal(pool.vm("taken").state, "STOPPED");
    const shown = { ...hostVm("Windows 11", { state: "running" }), name: "renamed" };
    await host.tellInventory(changedInventory([shown]));
    assert.equal(pool.vm("taken").sight?.name, "renamed");
    assert.equal(pool.vm("taken").spec.wanted, "stopped");
    assert.ok(
      !pool
        .view()
        .hosts.get(host.id)
        ?.foreignVms.some(({ id }) => id === shown.id),
    );
    await host.tellInventory(changedInventory([], [shown.id]));
    assert.equal(pool.vm("taken").failure?.reason, "Vanished");
  });

  it("saves an orphan that nobody knew", async () => {
    const name = hostVmName(uidFor("nobody"), 3);
    await stands(name);
    assert.equal(pool.view().hosts.get(host.id)?.orphans?.length, 1);
    await pool.submit(adopt(name));
    assert.deepEqual(pool.view().hosts.get(host.id)?.orphans, []);
    await pool.advance(30 * 60_000);
    assert.deepEqual(host.removals, []);
    assert.equal(pool.vm("taken").state, "RUNNING");
  });

  it("gives the VM a lease from then on, and lets it be deleted", async () => {
    await stands("build");
    const { spec } = adopt("build");
    await pool.submit(adopt("build", { spec: { ...spec, leaseDurationMs: 60_000 } }));
    await pool.advance(59_000);
    assert.equal(pool.vm("taken").state, "RUNNING");
    host.always("delete", hold);
    await pool.advance(2000);
    assert.equal(pool.vm("taken").state, "DELETING");
    await pool.submit(vmWant("taken", "deleted"));
  });

  it("answers the same request with the same VM", async () => {
    await stands("build");
    const request = { id: "AdoptVm/1", fingerprint: "x" };
    const first = await pool.submit(adopt("build", { request }));
    assert.equal((await pool.submit(adopt("build", { id: asVmId("other"), request }))).uid, first.uid);
  });

  it("refuses what is not there, is the pool's, is being removed, is on its way, or others are cloned from", async () => {
    host.always("delete", hold);
    await pool.create("own");
    const left = hostVmName(pool.vm("own").uid, 0);
    for (const name of ["passing", left]) await stands(name, "starting");
    await pool.refuses(adopt("absent"), "RESOURCE_NOT_FOUND");
    for (const name of [pool.hostName("own"), left, "passing", defaultGoldenVm]) {
      await pool.refuses(adopt(name), "STATE_NOT_ALLOWED");
    }
    await stands("fine");
    await pool.refuses(adopt("fine", { id: asVmId("own") }), "RESOURCE_EXISTS");
    await host.disconnect();
    await pool.refuses(adopt("fine"), "STATE_NOT_ALLOWED");
  });

  it("cannot be replaced when its host is lost: it fails, and is removed when the host returns", async () => {
    await stands("build");
    const { spec } = adopt("build");
    await pool.submit(adopt("build", { spec: { ...spec, onHostLost: "replace" } }));
    await pool.addHost("mac-2");
    await host.disconnect();
    await pool.advance(16 * 60_000);
    assert.equal(pool.vm("taken").failure?.reason, "HostLost");
    await pool.connect(host);
    assert.deepEqual(host.removals, ["{build}"]);
  });
});
