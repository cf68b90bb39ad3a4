import assert from "node:assert/strict";
import type { HostConnected } from "../../../../server/pool/events/host-reports.ts";
import { resendsMax } from "../../../../server/pool/limits.ts";
import { changedInventory, hostUse, hostVm, wholeInventory } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, hold, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { vmWant } from "../../../support/pool/specs.ts";

const minuteMs = 60_000;
const silentMs = 31_000;
const noHeartbeats = { heartbeatMs: Number.POSITIVE_INFINITY };

describe("the contact with a host", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  const hostState = () => pool.view().hosts.get(host.id)?.state;

  it("is READY, then DISCONNECTED after three heartbeats, then LOST a quarter of an hour later", async () => {
    assert.equal(hostState(), "READY");
    await pool.advance(29_900, noHeartbeats);
    assert.equal(hostState(), "READY");
    await pool.advance(200, noHeartbeats);
    assert.equal(hostState(), "DISCONNECTED");
    await pool.advance(15 * minuteMs - 300, noHeartbeats);
    assert.equal(hostState(), "DISCONNECTED");
    await pool.advance(400, noHeartbeats);
    assert.equal(hostState(), "LOST");
    await pool.connect(host);
    assert.equal(hostState(), "READY");
  });

  it("is kept by heartbeats, and heartbeats change no record", async () => {
    const { revision } = pool.view();
    await pool.advance(10 * minuteMs);
    assert.equal(hostState(), "READY");
    assert.equal(pool.view().revision, revision);
  });

  it("grows its epoch with every session", async () => {
    const epochs = [host.epoch];
    for (let count = 0; count < 3; count += 1) {
      await pool.connect(host);
      epochs.push(host.epoch);
    }
    const [first = 0] = epochs;
    assert.deepEqual(
      epochs.map((epoch) => epoch - first),
      [0, 1, 2, 3],
    );
  });

  it("drops what an older session says", async () => {
    host.next("start", accept);
    await pool.create("a");
    const old = host.epoch;
    host.always("start", hold);
    await pool.connect(host);
    const before = pool.vm("a");
    const command = before.command ?? assert.fail();
    host.epoch = old;
    assert.equal(await host.report(command, "SUCCEEDED"), false);
    assert.equal(await host.heartbeat(), false);
    assert.equal(await host.tellInventory(wholeInventory([])), false);
    assert.equal(await pool.submit({ type: "host-disconnected", id: host.id, epoch: old }), false);
    assert.equal(pool.vm("a"), before);
    assert.equal(pool.view().contact(host.id)?.isConnected, true);
  });

  it("does not come back by a heartbeat that was under way when the session ended", async () => {
    await host.disconnect();
    assert.equal(await host.heartbeat(), false);
    assert.equal(pool.view().contact(host.id)?.isConnected, false);
  });

  it("lost for a while leaves VMs UNKNOWN with their capacity taken, and takes no new ones", async () => {
    await pool.create("a");
    await host.disconnect();
    await pool.advance(silentMs);
    assert.equal(pool.vm("a").state, "UNKNOWN");
    assert.equal(pool.view().ledger(host.id).cpuTaken, 2);
    assert.equal((await pool.create("b")).state, "PENDING");
    await pool.advance(20 * minuteMs);
    assert.equal(hostState(), "LOST");
    assert.equal(pool.vm("a").state, "UNKNOWN");
    await pool.connect(host);
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.equal(pool.vm("b").state, "RUNNING");
    assert.deepEqual(host.receivedKinds, ["create", "start", "create", "start"]);
  });

  it("that was only silent, within one session, gives its VMs back with the next heartbeat", async () => {
    await pool.create("a");
    await pool.create("b", { wanted: "stopped" });
    await pool.advance(silentMs, noHeartbeats);
    assert.equal(pool.vm("a").state, "UNKNOWN");
    await host.heartbeat();
    await pool.settle();
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.equal(pool.vm("b").state, "STOPPED");
    assert.equal(hostState(), "READY");
  });

  it("that comes back shows what happened meanwhile", async () => {
    for (const name of ["stays", "stopped", "removed"]) await pool.create(name);
    await host.disconnect();
    await pool.advance(silentMs);
    host.vms.delete(pool.hostName("removed"));
    const stopped = host.vms.get(pool.hostName("stopped")) ?? assert.fail();
    host.vms.set(stopped.name, { ...stopped, state: "stopped" });
    host.always("start", hold);
    await pool.connect(host);
    assert.equal(pool.vm("stays").state, "RUNNING");
    assert.equal(pool.vm("stopped").state, "STARTING");
    assert.equal(pool.vm("removed").failure?.reason, "Vanished");
  });

  it("that is cut often does not count as guests that keep stopping", async () => {
    await pool.create("a");
    for (let count = 0; count < 6; count += 1) {
      await host.disconnect();
      await pool.advance(silentMs);
      const shown = host.vms.get(pool.hostName("a")) ?? assert.fail();
      host.vms.set(shown.name, { ...shown, state: "stopped" });
      await pool.connect(host);
      assert.equal(pool.vm("a").state, "RUNNING");
    }
  });

  it("that comes back is told the commands that were under way again, which go on where they were", async () => {
    host.next("create", accept);
    await pool.create("a");
    await host.disconnect();
    await pool.advance(silentMs);
    assert.equal(pool.vm("a").state, "UNKNOWN");
    host.next("create", accept);
    await pool.connect(host);
    assert.equal(pool.vm("a").state, "CREATING");
    const [first, again] = host.received;
    assert.equal(first?.id, again?.id);
    await host.finish(pool.vm("a"), again ?? assert.fail());
    await pool.settle();
    assert.equal(pool.vm("a").state, "RUNNING");
  });

  it("that comes back tells the ends of commands that were done meanwhile", async () => {
    host.next("stop", accept);
    await pool.create("a");
    await pool.submit(vmWant("a", "stopped"));
    const command = pool.vm("a").command ?? assert.fail();
    await host.disconnect();
    await pool.advance(silentMs);
    const shown = host.vms.get(pool.hostName("a")) ?? assert.fail();
    host.vms.set(shown.name, { ...shown, state: "stopped" });
    const ends: HostConnected["commands"] = [
      { commandId: command.id, state: "SUCCEEDED", vm: { ...shown, state: "stopped" } },
    ];
    await pool.connect(host, { commands: ends });
    assert.equal(pool.vm("a").state, "STOPPED");
    assert.equal(pool.vm("a").command, undefined);
    assert.equal(host.receivedKinds.filter((kind) => kind === "stop").length, 1);
  });

  for (const back of ["heartbeat", "session"] as const) {
    for (const leaves of [undefined, "stopped"] as const) {
      const left = leaves === undefined ? "nothing" : "a half-made VM";
      it(`lost while a create that left ${left} was to be tried again tries it again after the next ${back}`, async () => {
        host.next("create", accept);
        const { command } = await pool.create("a");
        await pool.advance(29_500, noHeartbeats);
        const half = hostVm(pool.hostName("a"));
        if (leaves !== undefined) host.vms.set(half.name, half);
        await host.report(command ?? assert.fail(), "FAILED", {
          failure: { reason: "Busy", message: "try again", suspect: "host", isRetryable: true },
          ...(leaves === undefined ? {} : { vm: half }),
        });
        if (back === "session") await host.disconnect();
        await pool.advance(5000, noHeartbeats);
        assert.equal(pool.vm("a").state, "UNKNOWN");
        assert.equal(pool.vm("a").command, undefined);
        if (back === "heartbeat") await host.heartbeat();
        else await pool.connect(host);
        await pool.advance(5000);
        assert.equal(pool.vm("a").state, "RUNNING");
        assert.deepEqual(host.receivedKinds, ["create", "create", "start"]);
      });
    }
  }

  it("sets deadlines anew when it is back, so that a short cut costs no VM", async () => {
    host.always("create", accept);
    await pool.create("a");
    await pool.advance(11 * minuteMs);
    await host.disconnect();
    await pool.advance(20_000);
    await pool.connect(host);
    await pool.advance(11 * minuteMs);
    assert.equal(pool.vm("a").state, "CREATING");
  });

  it("after a restart of the server has its time to come back, however long the server was away", async () => {
    host.always("create", accept);
    await pool.create("a");
    await pool.close();
    pool.clock.advance(60 * minuteMs);
    pool = await PoolDriver.open({ disk: pool.disk, clock: pool.clock });
    await pool.advance(1.5 * minuteMs);
    assert.equal(pool.vm("a").state, "CREATING");
    const back = pool.newHost("mac-1");
    back.next("create", accept);
    await pool.connect(back);
    await pool.advance(10 * minuteMs);
    assert.equal(pool.vm("a").state, "CREATING");
  });

  it("after a restart of the server is DISCONNECTED in the end if it does not come back", async () => {
    await pool.create("a");
    pool = await pool.restart();
    assert.equal((await pool.create("b")).state, "PENDING", "a host that was not heard yet gets nothing");
    await pool.advance(1.9 * minuteMs);
    assert.equal(hostState(), "READY");
    await pool.advance(0.2 * minuteMs);
    assert.equal(hostState(), "DISCONNECTED");
    assert.equal(pool.vm("a").state, "UNKNOWN");
  });

  it("keeps since when each condition holds, and a failing one closes the host to new VMs", async () => {
    const condition = { type: "DiskFree", holds: true, reason: "Enough", message: "" };
    await host.heartbeat({ conditions: [condition] });
    const sinceMs = () => pool.view().hosts.get(host.id)?.conditions[0]?.sinceMs;
    const first = sinceMs();
    await pool.advance(5000);
    await host.heartbeat({ conditions: [{ ...condition, message: "plenty" }] });
    assert.equal(sinceMs(), first);
    await host.heartbeat({ conditions: [{ ...condition, holds: false, message: "the disk is full" }] });
    assert.ok((sinceMs() ?? 0) > (first ?? 0));
    assert.equal((await pool.create("a")).state, "PENDING");
    await host.heartbeat(hostUse());
    await pool.settle();
    assert.equal(pool.vm("a").state, "RUNNING");
  });

  it("tells of foreign VMs, by increments too", async () => {
    const names = () =>
      pool
        .view()
        .hosts.get(host.id)
        ?.foreignVms.map(({ name }) => name);
    const golden = host.vms.get("golden-linux") ?? assert.fail();
    await host.tellInventory(changedInventory([{ ...golden, id: "{b}", name: "a-test" }]));
    assert.deepEqual(names(), ["a-test", "golden-linux"]);
    await host.tellInventory(changedInventory([], ["{b}"]));
    assert.deepEqual(names(), ["golden-linux"]);
    await host.tellInventory(wholeInventory([]));
    assert.deepEqual(names(), []);
  });

  it("gives up a VM whose command breaks every session, however often the host returns", async () => {
    host.always("create", accept);
    await pool.create("a");
    for (let session = 0; session < resendsMax && pool.vm("a").state !== "FAILED"; session += 1) {
      assert.equal(pool.vm("a").state, "CREATING");
      await pool.advance(5_000);
      await pool.connect(host);
    }
    assert.equal(pool.vm("a").state, "CREATING");
    await pool.connect(host);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").failure?.reason, "SessionsKeepBreaking");
  });

  it("does not hold broken sessions against a VM that gets on between them", async () => {
    host.always("create", accept);
    await pool.create("a");
    for (let session = 0; session < 2 * resendsMax; session += 1) {
      await pool.connect(host);
      const progress = { step: "download", percent: session, etaMs: 0, message: "" };
      const { command } = pool.vm("a");
      await host.report(command ?? assert.fail(), "RUNNING", { progress });
    }
    assert.equal(pool.vm("a").state, "CREATING");
  });

  it("writes nothing when an inventory shows what is known", async () => {
    const { revision } = pool.view();
    await host.tellInventory(wholeInventory([...host.vms.values()].map((vm) => ({ ...vm, uptimeSeconds: 99 }))));
    assert.equal(pool.view().revision, revision);
  });
});
