import assert from "node:assert/strict";
import type { BootTime } from "../../../../agent/leases/boot-time.ts";
import { defaultLeaseTuning, LeaseKeeper } from "../../../../agent/leases/lease-keeper.ts";
import type { Lease } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { silentLogger } from "../../../../shared/log.ts";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { commandOf, createByClone, createFromCatalog, poolVmName, poolVmUid } from "../../../support/agent/commands.ts";
import { FakeClock, settle } from "../../../support/agent/fake-clock.ts";
import { FakeParallels, failing } from "../../../support/agent/fake-parallels.ts";
import { SimulatedDisk } from "../../../support/agent/simulated-disk.ts";

describe("leases", () => {
  let disk: SimulatedDisk;
  let clock: FakeClock;
  let parallels: FakeParallels;
  let bootId: string;
  let bootedAtMs: number;
  let wallOffsetMs: number;
  let bench: CommandBench;
  let keeper: LeaseKeeper;

  beforeEach(async () => {
    disk = new SimulatedDisk();
    clock = new FakeClock();
    parallels = new FakeParallels();
    bootId = "boot-1";
    bootedAtMs = -1_000_000;
    wallOffsetMs = 0;
    await start();
  });

  afterEach(() => stop());

  async function start(): Promise<void> {
    const journal = await disk.journal({ clock });
    bench = new CommandBench({ clock, parallels, journal, onAccept: (command) => keeper.onCommand(command) });
    const { dispatcher, watch } = bench;
    keeper = new LeaseKeeper({
      journal,
      hostVms: watch,
      clock,
      readTime,
      log: silentLogger,
      tuning: defaultLeaseTuning,
      endVm: (vm, signal) => dispatcher.endVm(vm, signal),
    });
    keeper.start();
    dispatcher.resume();
    await settle();
    keeper.onInventory();
  }

  async function stop(): Promise<void> {
    await bench.close();
    await keeper.close();
  }

  function readTime(): BootTime {
    return { bootId, nowMs: clock.monotonicMs() - bootedAtMs, wallMs: clock.wallMs() + wallOffsetMs };
  }

  /** The Mac starts anew; its VMs are off, and the agent's run has ended. */
  async function reboot(): Promise<void> {
    await stop();
    bootId = `boot-${clock.monotonicMs()}`;
    bootedAtMs = clock.monotonicMs();
    for (const vm of parallels.vms.values()) parallels.vms.set(vm.id, { ...vm, state: "stopped" });
  }

  function leaseOf(leaseMs: number, fields: Partial<Lease> = {}): Lease {
    return { vmUid: poolVmUid, hostVmName: poolVmName, leaseMs, generation: 1, ...fields };
  }

  const isThere = (): boolean => parallels.vmNamed(poolVmName) !== undefined;

  it("end a running VM when they run out, and not before", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    keeper.onLeases({ whole: false, leases: [leaseOf(60_000)] });
    await clock.advance(59_900);
    assert(isThere());
    await clock.advance(5_000);
    assert(!isThere());
    assert.deepEqual(
      parallels.calls.filter(({ method }) => method === "changeState").map(({ detail }) => detail),
      ["stop force"],
    );
  });

  it("touch no VM that has none, and none whose lease is without a bound", async () => {
    parallels.addVm({ name: "by-hand", state: "running" });
    parallels.addVm({ name: poolVmName, state: "running" });
    keeper.onLeases({ whole: false, leases: [leaseOf(60_000)] });
    keeper.onLeases({ whole: false, leases: [leaseOf(0)] });
    await clock.advance(200_000);
    assert.equal(parallels.vms.size, 2);
  });

  it("come with the command that makes the VM and count from its arrival", async () => {
    parallels.addVm({ name: "golden" });
    await bench.run(commandOf(createByClone("golden"), { leaseMs: 60_000 }));
    await clock.advance(55_000);
    assert(isThere());
    await clock.advance(10_000);
    assert(!isThere());
    assert.notEqual(parallels.vmNamed("golden"), undefined);
  });

  it("do not come with a command that is refused", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    bench.dispatcher.beginSession(2);
    bench.dispatcher.handle(
      commandOf({ $case: "start", start: { readiness: undefined } }, { leaseMs: 1_000, epoch: 1 }),
    );
    await clock.advance(60_000);
    assert(isThere());
  });

  it("are not renewed by a word that is older than one that was heard", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    keeper.onLeases({ whole: false, leases: [leaseOf(60_000, { generation: 3 })] });
    keeper.onLeases({ whole: false, leases: [leaseOf(600_000, { generation: 2 })] });
    await clock.advance(70_000);
    assert(!isThere());
  });

  it("are not given by a word that is older than a command of the VM", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    await bench.run(commandOf({ $case: "start", start: { readiness: undefined } }, { generation: 3 }));
    keeper.onLeases({ whole: false, leases: [leaseOf(10_000, { generation: 2 })] });
    await clock.advance(70_000);
    assert(isThere());
  });

  it("are renewed by the server's word", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    keeper.onLeases({ whole: false, leases: [leaseOf(60_000, { generation: 3 })] });
    await clock.advance(50_000);
    keeper.onLeases({ whole: false, leases: [leaseOf(60_000, { generation: 3 })] });
    await clock.advance(55_000);
    assert(isThere());
    await clock.advance(10_000);
    assert(!isThere());
  });

  it("that a whole list does not name are no more; a list of changes says nothing of the others", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    parallels.addVm({ name: "other", state: "running" });
    const other = leaseOf(60_000, { vmUid: "other", hostVmName: "other" });
    keeper.onLeases({ whole: true, leases: [leaseOf(60_000), other] });
    keeper.onLeases({ whole: false, leases: [] });
    keeper.onLeases({ whole: true, leases: [other] });
    await clock.advance(70_000);
    assert(isThere());
    assert.equal(parallels.vmNamed("other"), undefined);
  });

  it("break off a create that is under way, and leave nothing of it", async () => {
    const command = commandOf(createFromCatalog(), { leaseMs: 30_000 });
    bench.dispatcher.handle(command);
    await clock.advanceUntil(() => parallels.begun.length === 1, 1_000);
    await clock.advance(60_000);
    // The pull cannot be stopped: as long as it goes on, its VM's place is taken.
    assert.equal(bench.endOf(command), undefined);
    parallels.addVm({ name: poolVmName });
    parallels.moveJob(parallels.begun[0]?.jobId ?? "", { state: "succeeded" });
    const end = await bench.finish(command);
    assert.equal(end.failure?.reason, "LeaseEnded");
    assert(!isThere());
  });

  it("end a VM that appears after the service has forgotten that it makes it", async () => {
    const command = commandOf(createFromCatalog(), { leaseMs: 30_000 });
    bench.dispatcher.handle(command);
    await clock.advanceUntil(() => parallels.begun.length === 1, 1_000);
    await clock.advance(29_500);
    parallels.jobs.clear();
    const end = await bench.finish(command, 60_000);
    assert.equal(end.failure?.reason, "LeaseEnded");
    await clock.advance(60_000);
    parallels.addVm({ name: poolVmName });
    bench.watch.refresh();
    await settle();
    keeper.onInventory();
    await clock.advance(5_000);
    assert(!isThere());
  });

  it("are tried until the VM is gone", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    keeper.onLeases({ whole: false, leases: [leaseOf(1_000)] });
    parallels.interfere = failing("failed", ({ method }) => method === "deleteVm" || method === "listVms");
    await clock.advance(300_000);
    assert(isThere());
    parallels.interfere = () => undefined;
    await clock.advance(15_000);
    assert(!isThere());
  });

  it("end a VM that a person has renamed", async () => {
    const vm = parallels.addVm({ name: poolVmName, state: "running" });
    bench.watch.refresh();
    await settle();
    keeper.onLeases({ whole: false, leases: [leaseOf(60_000)] });
    parallels.changeVm(vm.id, { name: "mine-now" });
    await clock.advance(70_000);
    assert.equal(parallels.vms.size, 0);
  });

  it("do not end another VM that a person has given the name of one of theirs", async () => {
    const mine = parallels.addVm({ name: "hand-made", state: "running" });
    bench.watch.refresh();
    await settle();
    keeper.onLeases({ whole: false, leases: [leaseOf(60_000, { hostVmName: "hand-made" })] });
    parallels.changeVm(mine.id, { name: "renamed" });
    const other = parallels.addVm({ name: "hand-made", state: "running" });
    bench.watch.refresh();
    await settle();
    keeper.onInventory();
    await clock.advance(70_000);
    assert.deepEqual([...parallels.vms.keys()], [other.id]);
  });

  describe("after a restart of the agent", () => {
    it("go on, and count the time in which it was down", async () => {
      parallels.addVm({ name: poolVmName, state: "running" });
      keeper.onLeases({ whole: false, leases: [leaseOf(60_000)] });
      await settle();
      await stop();
      await clock.advance(50_000);
      wallOffsetMs = -1_000_000;
      await start();
      await clock.advance(9_000);
      assert(isThere());
      await clock.advance(5_000);
      assert(!isThere());
    });

    it("that ran out meanwhile wait a moment for a server that has renewed them", async () => {
      parallels.addVm({ name: poolVmName, state: "running" });
      keeper.onLeases({ whole: false, leases: [leaseOf(60_000)] });
      await settle();
      await stop();
      await clock.advance(100_000);
      await start();
      await clock.advance(4_000);
      assert(isThere());
      keeper.onLeases({ whole: true, leases: [leaseOf(60_000)] });
      await clock.advance(55_000);
      assert(isThere());
    });

    it("and end their VMs when no word comes", async () => {
      parallels.addVm({ name: poolVmName, state: "running" });
      keeper.onLeases({ whole: false, leases: [leaseOf(60_000)] });
      await settle();
      await stop();
      await clock.advance(100_000);
      await start();
      await clock.advance(10_000);
      assert(!isThere());
    });

    it("go on with a removal that was cut off", async () => {
      parallels.addVm({ name: poolVmName, state: "running" });
      keeper.onLeases({ whole: false, leases: [leaseOf(1_000)] });
      parallels.interfere = failing("failed", ({ method }) => method === "deleteVm");
      await clock.advance(5_000);
      await stop();
      parallels.interfere = () => undefined;
      await start();
      keeper.onLeases({ whole: true, leases: [] });
      await clock.advance(5_000);
      assert(!isThere());
    });
  });

  describe("after a restart of the Mac", () => {
    it("go on from when it was last known to be up, less the time that it was off", async () => {
      parallels.addVm({ name: poolVmName, state: "running" });
      keeper.onLeases({ whole: false, leases: [leaseOf(600_000)] });
      await clock.advance(300_000);
      await reboot();
      await clock.advance(100_000);
      await start();
      await clock.advance(190_000);
      assert(isThere());
      await clock.advance(20_000);
      assert(!isThere());
    });

    it("last no longer than what was left, however the wall clock was set back", async () => {
      parallels.addVm({ name: poolVmName, state: "running" });
      keeper.onLeases({ whole: false, leases: [leaseOf(600_000)] });
      await clock.advance(300_000);
      await reboot();
      wallOffsetMs = -1_000_000_000;
      await start();
      await clock.advance(290_000);
      assert(isThere());
      // The Mac may have been up for most of a minute after it was last known to be.
      await clock.advance(75_000);
      assert(!isThere());
    });
  });
});
