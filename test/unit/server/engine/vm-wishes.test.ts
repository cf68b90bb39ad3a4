import assert from "node:assert/strict";
import type { CommandKind, VmState, WantedState } from "../../../../server/pool/vm.ts";
import { changedInventory, hostVm } from "../../../support/pool/hosts.ts";
import { PoolDriver } from "../../../support/pool/pool-driver.ts";
import { accept, failForGood, failRetryably, hold, type ScriptedHost } from "../../../support/pool/scripted-host.ts";
import { readinessTimeoutMs, vmWant } from "../../../support/pool/specs.ts";

const tooLarge = { resources: { cpuCount: 100, memoryMib: 0, diskMib: 0 } };
const minuteMs = 60_000;

describe("wishes for a VM", () => {
  let pool: PoolDriver;
  let host: ScriptedHost;

  beforeEach(async () => {
    pool = await PoolDriver.open();
    host = await pool.addHost("mac-1");
  });
  afterEach(() => pool.close());

  const restingStates: readonly (readonly [WantedState, VmState])[] = [
    ["running", "RUNNING"],
    ["stopped", "STOPPED"],
    ["suspended", "SUSPENDED"],
    ["paused", "PAUSED"],
  ];
  /** The commands from one resting state to another; absent: refused. */
  const steps: Readonly<Partial<Record<VmState, Partial<Record<WantedState, readonly CommandKind[]>>>>> = {
    RUNNING: { running: [], stopped: ["stop"], suspended: ["suspend"], paused: ["pause"] },
    STOPPED: { running: ["start"], stopped: [] },
    SUSPENDED: { running: ["resume"], stopped: ["resume", "stop"], suspended: [] },
    PAUSED: { running: ["resume"], stopped: ["stop"], paused: [] },
  };

  for (const [from, start] of restingStates) {
    for (const [wanted, end] of restingStates) {
      const expected = steps[start]?.[wanted];
      const what = expected === undefined ? "are refused" : `take the steps [${expected.join(", ")}]`;
      it(`that a ${start} VM be ${wanted} ${what}`, async () => {
        await pool.create("a");
        await pool.submit(vmWant("a", from));
        assert.equal(pool.vm("a").state, start);
        host.received.length = 0;
        if (expected === undefined) {
          await pool.refuses(vmWant("a", wanted), "STATE_NOT_ALLOWED");
          assert.equal(pool.vm("a").state, start);
          return;
        }
        await pool.submit(vmWant("a", wanted));
        assert.deepEqual(host.receivedKinds, expected);
        assert.equal(pool.vm("a").state, end);
        assert.equal(pool.vm("a").observedGeneration, pool.vm("a").generation);
      });
    }
  }

  it("to cut the power of a suspended VM need no resume", async () => {
    await pool.create("a");
    await pool.submit(vmWant("a", "suspended"));
    await pool.submit(vmWant("a", "stopped", { force: true }));
    assert.deepEqual(host.receivedKinds.slice(-2), ["suspend", "stop"]);
    assert.equal(host.received.at(-1)?.force, true);
  });

  it("to restart or reset are carried out once, and only of a running VM", async () => {
    await pool.create("a");
    await pool.submit(vmWant("a", "running", { action: "restart" }));
    await pool.submit(vmWant("a", "running", { action: "reset" }));
    assert.deepEqual(host.receivedKinds, ["create", "start", "restart", "reset"]);
    assert.equal(pool.vm("a").state, "RUNNING");
    await pool.submit(vmWant("a", "stopped"));
    await pool.refuses(vmWant("a", "running", { action: "restart" }), "STATE_NOT_ALLOWED");
  });

  it("to restart are not forgotten when the restart fails though the VM runs on", async () => {
    await pool.create("a");
    host.next("restart", { kind: "fail", isRetryable: true, leaves: "running" });
    await pool.submit(vmWant("a", "running", { action: "restart" }));
    await pool.advance(2000);
    assert.deepEqual(host.receivedKinds, ["create", "start", "restart", "restart"]);
    assert.equal(pool.vm("a").state, "RUNNING");
    assert.equal(pool.vm("a").pendingAction, undefined);
  });

  it("made before it has a host are met once it has one", async () => {
    await pool.create("a", tooLarge);
    await pool.submit(vmWant("a", "stopped"));
    const before = pool.vm("a");
    const spec = { ...before.spec, resources: { cpuCount: 2, memoryMib: 0, diskMib: 0 } };
    await pool.submit({ type: "vm-update", id: before.id, baseGeneration: before.generation, spec });
    assert.equal(pool.vm("a").state, "STOPPED");
  });

  it("to stop take the place of a start that is under way, and its late end changes nothing", async () => {
    host.next("start", accept);
    await pool.create("a");
    const start = pool.vm("a").command ?? assert.fail();
    await pool.submit(vmWant("a", "stopped"));
    assert.equal(pool.vm("a").state, "STOPPED");
    assert.equal(await host.report(start, "SUCCEEDED"), false);
    assert.equal(pool.vm("a").state, "STOPPED");
  });

  it("to stop with force take the place of a gentle stop", async () => {
    host.next("stop", accept);
    await pool.create("a");
    await pool.submit(vmWant("a", "stopped"));
    assert.equal(pool.vm("a").state, "STOPPING");
    await pool.submit(vmWant("a", "stopped", { force: true }));
    assert.equal(pool.vm("a").state, "STOPPED");
    assert.deepEqual(
      host.received.slice(-2).map(({ kind, force }) => `${kind} ${force}`),
      ["stop false", "stop true"],
    );
  });

  it("that change while a stop is under way are met after it", async () => {
    host.next("stop", hold);
    await pool.create("a");
    await pool.submit(vmWant("a", "stopped"));
    await pool.submit(vmWant("a", "running"));
    assert.equal(pool.vm("a").state, "STOPPING");
    await host.finish(pool.vm("a"), pool.vm("a").command ?? assert.fail());
    await pool.settle();
    assert.equal(pool.vm("a").state, "RUNNING");
  });

  it("are refused of a VM that failed, is being deleted or is gone", async () => {
    host.next("create", failForGood);
    await pool.create("failed");
    await pool.refuses(vmWant("failed", "running"), "STATE_NOT_ALLOWED");
    host.next("delete", hold);
    await pool.create("leaving");
    await pool.submit(vmWant("leaving", "deleted"));
    await pool.refuses(vmWant("leaving", "running"), "STATE_NOT_ALLOWED");
    await pool.refuses(vmWant("nobody", "running"), "RESOURCE_NOT_FOUND");
  });

  for (const kind of ["start", "stop", "suspend", "pause", "resume"] as const) {
    const wish = {
      start: "running",
      stop: "stopped",
      suspend: "suspended",
      pause: "paused",
      resume: "running",
    } as const;
    /** Brings the VM to where the command is the next. */
    const prepare = async (): Promise<void> => {
      await pool.create("a", { wanted: kind === "start" ? "stopped" : "running" });
      if (kind === "resume") await pool.submit(vmWant("a", "suspended"));
    };

    for (const said of ["says how the VM is", "says nothing of the VM"] as const) {
      it(`are met though the ${kind} fails at first and the host ${said}`, async () => {
        await prepare();
        host.next(kind, {
          ...failRetryably,
          kind: "fail",
          isRetryable: true,
          isSilentAboutVm: said === "says nothing of the VM",
        });
        await pool.submit(vmWant("a", wish[kind]));
        await pool.advance(1500);
        assert.equal(host.receivedKinds.filter((received) => received === kind).length, 2);
        assert.equal(pool.vm("a").spec.wanted, wish[kind]);
        assert.equal(pool.vm("a").observedGeneration, pool.vm("a").generation);
      });
    }

    it(`end in FAILED when the ${kind} fails for good, and the VM is kept on its host for a look`, async () => {
      await prepare();
      host.next(kind, failForGood);
      await pool.submit(vmWant("a", wish[kind]));
      assert.equal(pool.vm("a").state, "FAILED");
      assert.equal(pool.vm("a").failure?.host, "mac-1");
      assert.equal(pool.view().ledger(host.id).cpuTaken, 2);
    });

    it(`end in FAILED when the ${kind} is never heard of again`, async () => {
      await prepare();
      host.next(kind, accept);
      await pool.submit(vmWant("a", wish[kind]));
      const late = pool.vm("a").command ?? assert.fail();
      await pool.advance(11 * minuteMs);
      assert.equal(pool.vm("a").state, "FAILED");
      assert.equal(pool.vm("a").failure?.reason, "NoProgress");
      assert.equal(await host.report(late, "SUCCEEDED"), false);
      assert.equal(pool.vm("a").state, "FAILED");
    });
  }

  it("to start end in FAILED when the guest is up but never ready, after some tries", async () => {
    host.always("start", { kind: "fail", isRetryable: true, leaves: "running" });
    await pool.create("a");
    await pool.advance(minuteMs);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(host.receivedKinds.filter((kind) => kind === "start").length, 4);
  });

  it("to start are not given up as long as the host tells of progress", async () => {
    host.next("start", accept);
    await pool.create("a");
    for (let minute = 0; minute < 10; minute += 1) {
      await pool.advance(minuteMs);
      const progress = { step: "boot", percent: minute, etaMs: 0, message: "" };
      await host.report(pool.vm("a").command ?? assert.fail(), "RUNNING", { progress });
    }
    assert.equal(pool.vm("a").state, "STARTING");
    assert.equal(pool.vm("a").progress?.percent, 9);
    await pool.advance(readinessTimeoutMs + 2 * minuteMs);
    assert.equal(pool.vm("a").state, "FAILED");
  });

  it("to make it end in FAILED when the host neither accepts nor refuses", async () => {
    host.next("create", hold);
    await pool.create("a");
    await pool.advance(2 * minuteMs + 10);
    assert.equal(pool.vm("a").state, "FAILED");
    assert.equal(pool.vm("a").failure?.reason, "HostDidNotAnswer");
  });

  it("to make it end in FAILED when making it comes to a stand", async () => {
    host.next("create", accept);
    await pool.create("a");
    await pool.advance(12 * minuteMs + 10);
    assert.equal(pool.vm("a").failure?.reason, "NoProgress");
  });

  it("to have it at all end when its time to wait is over", async () => {
    await pool.create("a", { ...tooLarge, pendingTimeoutMs: 30_000 });
    await pool.advance(29_900);
    assert.equal(pool.vm("a").state, "PENDING");
    await pool.advance(200);
    assert.equal(pool.vm("a").failure?.reason, "PendingTimeout");
    await pool.advance(15 * minuteMs + 100);
    assert.equal(pool.vm("a").state, "DELETED");
  });

  it("that repeat what a host reported twice, or late, change nothing", async () => {
    host.next("start", accept);
    await pool.create("a");
    const command = pool.vm("a").command ?? assert.fail();
    await host.report(command, "RUNNING");
    const before = pool.vm("a");
    await host.report(command, "ACCEPTED");
    assert.equal(pool.vm("a"), before);
    const shown = hostVm(pool.hostName("a"), { state: "running" });
    assert.equal(await host.report(command, "SUCCEEDED", { vm: shown }), true);
    const running = pool.vm("a");
    assert.equal(await host.report(command, "SUCCEEDED", { vm: shown }), false);
    assert.equal(await host.report(command, "FAILED"), false);
    assert.equal(await host.report({ id: "0".repeat(32) }, "SUCCEEDED"), false);
    assert.equal(pool.vm("a"), running);
  });

  describe("and what happens by hand or by itself", () => {
    it("a guest that powers itself off is started again", async () => {
      await pool.create("a");
      await host.changeByHand(pool.hostName("a"), "stopped");
      assert.equal(pool.vm("a").state, "STOPPED");
      await pool.advance(1500);
      assert.equal(pool.vm("a").state, "RUNNING");
    });

    it("but not for ever", async () => {
      await pool.create("a");
      for (let count = 0; count < 4; count += 1) {
        assert.equal(pool.vm("a").state, "RUNNING");
        await host.changeByHand(pool.hostName("a"), "stopped");
        await pool.advance(minuteMs);
      }
      assert.equal(pool.vm("a").failure?.reason, "KeepsStopping");
    });

    it("and one that was up for long in between may do so again", async () => {
      await pool.create("a");
      for (let count = 0; count < 8; count += 1) {
        await host.changeByHand(pool.hostName("a"), "stopped");
        await pool.advance(11 * minuteMs);
        assert.equal(pool.vm("a").state, "RUNNING");
      }
    });

    it("a VM that someone starts though it is wanted stopped is stopped", async () => {
      await pool.create("a", { wanted: "stopped" });
      await host.changeByHand(pool.hostName("a"), "running");
      await pool.settle();
      assert.equal(pool.vm("a").state, "STOPPED");
      assert.equal(host.receivedKinds.at(-1), "stop");
    });

    it("a VM that someone pauses though it is wanted running is resumed", async () => {
      await pool.create("a");
      await host.changeByHand(pool.hostName("a"), "paused");
      await pool.settle();
      assert.equal(pool.vm("a").state, "RUNNING");
      assert.equal(host.receivedKinds.at(-1), "resume");
    });

    it("a VM that someone removes has failed, and frees its capacity", async () => {
      await pool.create("a");
      await host.removeByHand(pool.hostName("a"));
      await pool.settle();
      assert.equal(pool.vm("a").failure?.reason, "Vanished");
      assert.equal(pool.view().ledger(host.id).cpuTaken, 0);
    });

    it("what a host shows while a command is under way is kept, and moves nothing", async () => {
      host.next("stop", accept);
      await pool.create("a");
      await pool.submit(vmWant("a", "stopped"));
      await host.changeByHand(pool.hostName("a"), "stopping");
      assert.equal(pool.vm("a").state, "STOPPING");
      assert.equal(pool.vm("a").sight?.state, "stopping");
    });

    it("a word that nobody has heard of changes nothing", async () => {
      await pool.create("a");
      await host.changeByHand(pool.hostName("a"), "levitating");
      assert.equal(pool.vm("a").state, "RUNNING");
    });

    it("a VM that is the pool's by its name, but of an earlier attempt, counts until it is removed", async () => {
      host.always("delete", hold);
      await pool.create("a");
      const stray = hostVm(pool.hostName("a").replace(/001$/, "000"), { state: "running" });
      await host.tellInventory(changedInventory([stray]));
      assert.deepEqual(
        pool
          .view()
          .hosts.get(host.id)
          ?.foreignVms.map(({ name }) => name),
        ["golden-linux", stray.name],
      );
      assert.equal(pool.view().ledger(host.id).cpuTaken, 4);
      assert.deepEqual(host.removals, [stray.id]);
    });
  });
});
