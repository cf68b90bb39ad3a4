import assert from "node:assert/strict";
import type { VmState } from "../../../../server/pool/vm.ts";
import { hostVm } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import {
  accept,
  failForGood,
  failRetryably,
  hold,
  refuse,
  type ScriptedHost,
} from "../../../support/pool/scripted-host.ts";
import { vmCreate, vmWant } from "../../../support/pool/specs.ts";

describe("deleting a VM", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  /** How the VM "a" comes into each state. */
  const ways: Readonly<Partial<Record<VmState, () => Promise<unknown>>>> = {
    PENDING: async () => await pool.create("a", { resources: { cpuCount: 100, memoryMib: 0, diskMib: 0 } }),
    PLACED: async () => {
      host.next("create", hold);
      await pool.create("a");
    },
    CREATING: async () => {
      host.next("create", accept);
      await pool.create("a");
    },
    STARTING: async () => {
      host.next("start", accept);
      await pool.create("a");
    },
    RUNNING: async () => await pool.create("a"),
    STOPPING: async () => {
      host.next("stop", accept);
      await pool.create("a");
      await pool.submit(vmWant("a", "stopped"));
    },
    STOPPED: async () => await pool.create("a", { wanted: "stopped" }),
    SUSPENDING: async () => {
      host.next("suspend", accept);
      await pool.create("a");
      await pool.submit(vmWant("a", "suspended"));
    },
    SUSPENDED: async () => {
      await pool.create("a");
      await pool.submit(vmWant("a", "suspended"));
    },
    PAUSING: async () => {
      host.next("pause", accept);
      await pool.create("a");
      await pool.submit(vmWant("a", "paused"));
    },
    PAUSED: async () => {
      await pool.create("a");
      await pool.submit(vmWant("a", "paused"));
    },
    RESUMING: async () => {
      host.next("resume", accept);
      await pool.create("a");
      await pool.submit(vmWant("a", "suspended"));
      await pool.submit(vmWant("a", "running"));
    },
    FAILED: async () => {
      host.next("create", { kind: "fail", isRetryable: false, leaves: "stopped" });
      await pool.create("a");
    },
  };

  for (const [state, reach] of Object.entries(ways)) {
    it(`that is ${state} leaves no VM and no capacity taken`, async () => {
      await reach();
      assert.equal(pool.vm("a").state, state);
      await pool.submit(vmWant("a", "deleted"));
      assert.equal(pool.vm("a").state, "DELETED");
      assert.equal(pool.view().vmsOn(host.id).size, 0);
      assert.equal(pool.view().ledger(host.id).cpuTaken, 0);
      assert.equal(pool.view().ledger(host.id).creating, 0);
      assert.deepEqual([...host.vms.keys()], ["golden-linux"]);
      assert.equal(pool.vm("a").observedGeneration, pool.vm("a").generation);
    });
  }

  it("that is UNKNOWN waits for its host, and then is done", async () => {
    await pool.create("a");
    await host.disconnect();
    await pool.advance(60_000);
    assert.equal(pool.vm("a").state, "UNKNOWN");
    await pool.submit(vmWant("a", "deleted"));
    assert.equal(pool.vm("a").state, "DELETING");
    assert.equal(pool.view().ledger(host.id).cpuTaken, 2);
    await pool.connect(host);
    assert.equal(pool.vm("a").state, "DELETED");
    assert.equal(host.receivedKinds.at(-1), "delete");
  });

  it("that is being deleted already changes nothing", async () => {
    host.next("delete", accept);
    await pool.create("a");
    const first = await pool.submit(vmWant("a", "deleted"));
    const { generation } = await pool.submit(vmWant("a", "deleted"));
    assert.equal(generation, first.generation);
    assert.equal(host.receivedKinds.filter((kind) => kind === "delete").length, 1);
  });

  it("that is being deleted gently is told again with force when force is asked for", async () => {
    host.next("delete", accept);
    await pool.create("a");
    await pool.submit(vmWant("a", "deleted"));
    await pool.submit(vmWant("a", "deleted", { force: true }));
    assert.deepEqual(host.received.at(-1)?.force, true);
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("is tried again for ever, with pauses of at most a minute", async () => {
    host.always("delete", failForGood);
    await pool.create("a");
    await pool.submit(vmWant("a", "deleted"));
    await pool.advance(30 * 60_000);
    assert.equal(pool.vm("a").state, "DELETING");
    assert.equal(pool.vm("a").failure?.reason, "Scripted");
    const tries = host.receivedKinds.filter((kind) => kind === "delete").length;
    assert.ok(tries >= 30 && tries <= 40, `${tries} tries`);
    host.always("delete", { kind: "succeed" });
    await pool.advance(61_000);
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("that was refused is tried again", async () => {
    host.next("delete", refuse);
    await pool.create("a");
    await pool.submit(vmWant("a", "deleted"));
    assert.equal(pool.vm("a").state, "DELETING");
    await pool.advance(2000);
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("begins its pauses anew, however often steps before it failed", async () => {
    host.always("create", failRetryably);
    await pool.submit(vmCreate("a"));
    await pool.advance(4000);
    assert.equal(pool.vm("a").retryCount, 3);
    host.next("delete", failRetryably);
    await pool.submit(vmWant("a", "deleted"));
    await pool.advance(1100);
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("ends a VM whose host refuses the create at that moment, though no host holds it then", async () => {
    host.next("create", hold);
    const placed = await pool.create("a");
    // Both come while a batch is being synced, so that no planner looks between them.
    const synced = Promise.withResolvers<void>();
    pool.store.faults = { beforeDurable: () => synced.promise };
    const first = pool.engine.submit(vmCreate("b", { wanted: "stopped" }));
    await pool.settle();
    const wish = pool.engine.submit(vmWant("a", "deleted"));
    const refusal = host.report(placed.command ?? assert.fail(), "REFUSED");
    pool.store.faults = {};
    synced.resolve();
    await Promise.all([first, wish, refusal]);
    await pool.settle();
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("ends a failed VM that vanishes from its host at that moment", async () => {
    host.next("create", { kind: "fail", isRetryable: false, leaves: "stopped" });
    await pool.create("a");
    const synced = Promise.withResolvers<void>();
    pool.store.faults = { beforeDurable: () => synced.promise };
    const first = pool.engine.submit(vmCreate("b", { wanted: "stopped" }));
    await pool.settle();
    const wish = pool.engine.submit(vmWant("a", "deleted"));
    const vanishing = host.removeByHand(pool.hostName("a"));
    pool.store.faults = {};
    synced.resolve();
    await Promise.all([first, wish, vanishing]);
    await pool.settle();
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("is done when the host shows the VM no more, even if the command never ends", async () => {
    await pool.create("a");
    host.next("delete", accept);
    await pool.submit(vmWant("a", "deleted"));
    const command = pool.vm("a").command ?? assert.fail();
    await host.removeByHand(pool.hostName("a"));
    await pool.settle();
    assert.equal(pool.vm("a").state, "DELETED");
    assert.equal(await host.report(command, "SUCCEEDED"), false, "the late end is of no command any more");
  });

  it("is not done because the host takes away what it had half made: it may make that again before it ends", async () => {
    host.next("create", accept);
    await pool.create("a");
    const half = hostVm(pool.hostName("a"));
    await host.tellInventory({ isWhole: false, vms: [half], removedIds: [] });
    host.next("delete", accept);
    await pool.submit(vmWant("a", "deleted"));
    await host.tellInventory({ isWhole: false, vms: [], removedIds: [half.id] });
    assert.equal(pool.vm("a").state, "DELETING");
  });

  it("is not done because an inventory lacks a VM that was never shown", async () => {
    host.next("create", accept);
    await pool.create("a");
    host.next("delete", accept);
    await pool.submit(vmWant("a", "deleted"));
    await host.tellInventory({ isWhole: true, vms: [], removedIds: [] });
    assert.equal(pool.vm("a").state, "DELETING");
  });
});
