import assert from "node:assert/strict";
import { orphanGraceMs, removalsPerHostMax } from "../../../../server/pool/limits.ts";
import { hostVmName } from "../../../../shared/ids.ts";
import { changedInventory, goldenVm, hostVm, wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { failRetryably, hold, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { uidFor, vmWant } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
const nobodys = hostVmName(uidFor("nobody"), 1);

describe("orphans", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  const record = () => pool.view().hosts.get(host.id) ?? assert.fail();
  const appear = async (name: string, state = "running"): Promise<void> => {
    const vm = hostVm(name, { state });
    host.vms.set(name, vm);
    await host.tellInventory(changedInventory([vm]));
    await pool.settle();
  };

  it("that nobody knows are shown for a while, counted, and then removed", async () => {
    await appear(nobodys);
    assert.equal(record().orphans?.[0]?.name, nobodys);
    assert.equal(pool.view().ledger(host.id).cpuTaken, 2);
    await pool.advance(orphanGraceMs - 1000);
    assert.deepEqual(host.removals, []);
    await pool.advance(2000);
    assert.deepEqual(host.removals, [`{${nobodys}}`]);
    assert.equal(host.vms.has(nobodys), false);
    assert.deepEqual(record().orphans, []);
    assert.equal(pool.view().ledger(host.id).cpuTaken, 0);
  });

  it("are never those of people", async () => {
    for (const name of ["Windows 11", "meridian-test", `copy of ${nobodys}`]) await appear(name);
    await pool.advance(2 * orphanGraceMs);
    assert.deepEqual(record().orphans, []);
    assert.deepEqual(host.removals, []);
  });

  it("of a VM that is gone, or is elsewhere, are removed at once", async () => {
    await pool.create("deleted");
    await pool.create("made-anew");
    const old = hostVmName(pool.vm("made-anew").uid, 0);
    const again = pool.hostName("deleted");
    await pool.submit(vmWant("deleted", "deleted"));
    for (const name of [old, again]) await appear(name);
    assert.deepEqual(host.removals, [`{${old}}`, `{${again}}`]);
    assert.equal(pool.vm("made-anew").state, "RUNNING");
    assert.ok(host.vms.has(pool.hostName("made-anew")));
  });

  it("whose removal fails are tried again with growing pauses, and for ever", async () => {
    host.always("delete", failRetryably);
    await pool.create("a");
    await appear(hostVmName(pool.vm("a").uid, 0));
    await pool.advance(10 * minuteMs);
    const tries = host.removals.length;
    assert.ok(tries >= 8 && tries <= 20, `${tries} tries`);
    host.always("delete", { kind: "succeed" });
    await pool.advance(minuteMs + 1000);
    assert.deepEqual(record().orphans, []);
  });

  it("are removed by the same command in the next session, until the host says that they are gone", async () => {
    host.always("delete", hold);
    await pool.create("a");
    await appear(hostVmName(pool.vm("a").uid, 0));
    const [first] = record().orphans ?? [];
    await pool.connect(host);
    assert.deepEqual(record().orphans, [first]);
    assert.equal(host.removals.length, 2);
    pool = await pool.restart();
    assert.deepEqual(pool.view().hosts.get(host.id)?.orphans, [first]);
    await host.tellInventory(wholeInventory([goldenVm()])).catch(() => undefined);
  });

  it("that somebody removes or renames by hand are left to that", async () => {
    host.always("delete", hold);
    await pool.create("a");
    const left = hostVmName(pool.vm("a").uid, 0);
    await appear(left);
    const vm = host.vms.get(left) ?? assert.fail();
    await host.tellInventory(changedInventory([{ ...vm, name: "mine now" }]));
    assert.deepEqual(record().orphans, []);
    assert.equal(record().foreignVms.find(({ id }) => id === vm.id)?.name, "mine now");
    await host.tellInventory(changedInventory([], [vm.id]));
    assert.equal(record().foreignVms.length, 1);
  });

  it("are removed a few at a time", async () => {
    host.always("delete", hold);
    await pool.create("a");
    const names = Array.from({ length: removalsPerHostMax + 3 }, (_, index) =>
      hostVmName(pool.vm("a").uid, 900 + index),
    );
    for (const name of names) await appear(name, "stopped");
    assert.equal(host.removals.length, removalsPerHostMax);
    const { commandId } = record().orphans?.[0] ?? assert.fail();
    await host.report({ id: commandId ?? assert.fail() }, "SUCCEEDED");
    await pool.settle();
    assert.equal(host.removals.length, removalsPerHostMax + 1);
  });

  it("are what is left when a host is removed by force and enrols again", async () => {
    await pool.create("a");
    await pool.submit({ type: "host-delete", id: host.id, force: true });
    assert.equal(pool.vm("a").failure?.reason, "HostDeleted");
    host.isConnected = false;
    await pool.connect(host);
    assert.equal(host.removals.length, 1);
    assert.equal(host.vms.size, 1);
  });
});
