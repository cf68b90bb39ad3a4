import assert from "node:assert/strict";
import type { Action } from "../../../../agent/commands/perform.ts";
import {
  type Command,
  CommandUpdate_State,
  Failure_Suspect,
  type Readiness,
} from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { commandOf, poolVmName } from "../../../support/agent/commands.ts";
import { failing, hang } from "../../../support/agent/fake-parallels.ts";

const { STATE_SUCCEEDED, STATE_FAILED } = CommandUpdate_State;
const readiness = (probe: Readiness["probe"], timeoutMs = 60_000): Readiness => ({ probe, periodMs: 500, timeoutMs });

const start: Action = { $case: "start", start: { readiness: undefined } };
const resume: Action = { $case: "resume", resume: { readiness: undefined } };
const restart: Action = { $case: "restart", restart: { readiness: undefined } };
const reset: Action = { $case: "reset", reset: { readiness: undefined } };
const suspend: Action = { $case: "suspend", suspend: {} };
const pause: Action = { $case: "pause", pause: {} };
const stop: Action = { $case: "stop", stop: { force: false } };
const forceStop: Action = { $case: "stop", stop: { force: true } };
const remove: Action = { $case: "delete", delete: { force: false } };
const forceRemove: Action = { $case: "delete", delete: { force: true } };

describe("power commands", () => {
  let bench: CommandBench;

  beforeEach(() => {
    bench = new CommandBench();
  });

  afterEach(() => bench.close());

  /** What each command does from each state: the calls, and the state or the reason at the end. */
  const table: readonly [string, Action, string, readonly string[], string][] = [
    ["start", start, "stopped", ["start"], "running"],
    ["start", start, "suspended", ["resume"], "running"],
    ["start", start, "paused", ["resume"], "running"],
    ["start", start, "running", [], "running"],
    ["start", start, "invalid", [], "VmInvalid"],
    ["resume", resume, "suspended", ["resume"], "running"],
    ["resume", resume, "paused", ["resume"], "running"],
    ["resume", resume, "running", [], "running"],
    ["resume", resume, "stopped", [], "NotSuspended"],
    ["stop", stop, "running", ["stop"], "stopped"],
    ["stop", stop, "paused", ["resume", "stop"], "stopped"],
    ["stop", stop, "suspended", ["resume", "stop"], "stopped"],
    ["stop", stop, "stopped", [], "stopped"],
    ["forced stop", forceStop, "running", ["stop force"], "stopped"],
    ["forced stop", forceStop, "paused", ["resume", "stop force"], "stopped"],
    ["forced stop", forceStop, "suspended", ["stop force"], "stopped"],
    ["suspend", suspend, "running", ["suspend"], "suspended"],
    ["suspend", suspend, "paused", ["resume", "suspend"], "suspended"],
    ["suspend", suspend, "suspended", [], "suspended"],
    ["suspend", suspend, "stopped", [], "NotRunning"],
    ["pause", pause, "running", ["pause"], "paused"],
    ["pause", pause, "stopped", [], "NotRunning"],
    ["restart", restart, "running", ["restart"], "running"],
    ["restart", restart, "stopped", [], "NotRunning"],
    ["reset", reset, "running", ["reset"], "running"],
    ["reset", reset, "paused", [], "NotRunning"],
    ["delete", remove, "stopped", [], "gone"],
    ["delete", remove, "running", ["stop"], "gone"],
    ["delete", remove, "paused", ["resume", "stop"], "gone"],
    ["delete", remove, "invalid", [], "gone"],
    ["forced delete", forceRemove, "running", ["stop force"], "gone"],
    ["forced delete", forceRemove, "paused", ["resume", "stop force"], "gone"],
    ["forced delete", forceRemove, "suspended", ["stop force"], "gone"],
  ];

  for (const [name, action, from, verbs, result] of table) {
    it(`${name} of a VM that is ${from} ends with ${result}`, async () => {
      bench.parallels.addVm({ name: poolVmName, state: from });
      const end = await bench.run(commandOf(action));
      assert.deepEqual(
        bench.parallels.calls.filter((call) => call.method === "changeState").map((call) => call.detail),
        verbs,
      );
      assert.equal(end.failure?.reason ?? end.vm?.state ?? "gone", result);
      assert.equal(bench.parallels.vms.size, result === "gone" ? 0 : 1);
    });
  }

  it("waits for a VM that is on its way, and goes on when an event says that it is there", async () => {
    const vm = bench.parallels.addVm({ name: poolVmName, state: "stopping" });
    bench.clock.after(7_300, () => bench.parallels.changeVm(vm.id, { state: "stopped" }));
    const end = await bench.run(commandOf(start));
    assert.equal(end.vm?.state, "running");
    assert.equal(bench.clock.monotonicMs(), 7_300);
  });

  it("fails with NoProgress when a VM stays on its way for the limit", async () => {
    bench.parallels.addVm({ name: poolVmName, state: "starting" });
    const end = await bench.run(commandOf(start, { silenceLimitMs: 30_000 }));
    assert.equal(end.failure?.reason, "NoProgress");
  });

  it("cuts the power of a guest that does not shut down in its time", async () => {
    bench.parallels.addVm({ name: poolVmName, state: "running" });
    bench.parallels.interfere = (call, signal) => (call.detail === "stop" ? hang(signal) : undefined);
    const end = await bench.run(commandOf(stop, { silenceLimitMs: 600_000 }));
    assert.equal(end.vm?.state, "stopped");
    assert(bench.clock.monotonicMs() >= 90_000);
  });

  it("takes a start that timed out and worked all the same for done", async () => {
    const vm = bench.parallels.addVm({ name: poolVmName });
    const timeOut = failing("timed-out", (call) => call.detail === "start");
    bench.parallels.interfere = (call, signal) => {
      if (call.detail === "start") bench.parallels.changeVm(vm.id, { state: "running" });
      return timeOut(call, signal);
    };
    assert.equal((await bench.run(commandOf(start))).state, STATE_SUCCEEDED);
  });

  it("fails with the service's reason when the VM stays as it was", async () => {
    bench.parallels.addVm({ name: poolVmName });
    bench.parallels.interfere = failing("macos-limit", (call) => call.detail === "start");
    const end = await bench.run(commandOf(start));
    assert.equal(end.state, STATE_FAILED);
    assert.equal(end.failure?.reason, "MacosLimit");
    assert.equal(end.vm?.state, "stopped");
  });

  it("gives up on a VM that somebody brings back again and again", async () => {
    const vm = bench.parallels.addVm({ name: poolVmName, state: "running" });
    bench.parallels.interfere = (call) => {
      if (call.method !== "changeState") return;
      queueMicrotask(() => bench.parallels.changeVm(vm.id, { state: "paused" }));
    };
    const end = await bench.run(commandOf(suspend));
    assert.equal(end.failure?.reason, "StateUnsteady");
  });

  it("fails with VmNotFound when the VM is not on the Mac", async () => {
    assert.equal((await bench.run(commandOf(start))).failure?.reason, "VmNotFound");
  });

  it("delete of a VM that is not there is success", async () => {
    assert.equal((await bench.run(commandOf(remove))).state, STATE_SUCCEEDED);
  });

  it("delete succeeds only when a fresh list no longer shows the VM", async () => {
    const vm = bench.parallels.addVm({ name: poolVmName });
    const command = commandOf(remove);
    bench.parallels.deleteVm = () => {
      bench.parallels.emit((listener) => listener.onVmRemoved(vm.id));
      return Promise.resolve();
    };
    bench.dispatcher.handle(command);
    await bench.clock.advance(20_000);
    assert.equal(bench.endOf(command), undefined);
    bench.parallels.vms.delete(vm.id);
    assert.equal((await bench.finish(command)).state, STATE_SUCCEEDED);
  });

  it("delete tries again when somebody starts the VM in between", async () => {
    const vm = bench.parallels.addVm({ name: poolVmName });
    let isFirst = true;
    bench.parallels.interfere = (call) => {
      if (call.method !== "deleteVm" || !isFirst) return;
      isFirst = false;
      bench.parallels.changeVm(vm.id, { state: "running" });
    };
    assert.equal((await bench.run(commandOf(remove))).state, STATE_SUCCEEDED);
    assert.equal(bench.parallels.vms.size, 0);
  });

  describe("readiness", () => {
    const startWith = (probe: Readiness["probe"], timeoutMs?: number): Command =>
      commandOf({ $case: "start", start: { readiness: readiness(probe, timeoutMs) } });

    it("by guest tools waits until a trivial command runs, and carries the addresses", async () => {
      bench.parallels.addVm({ name: poolVmName, ipAddresses: ["10.0.0.7"] });
      let isBooted = false;
      bench.clock.after(8_000, () => {
        isBooted = true;
      });
      bench.parallels.onExecute = () => ({ stdout: "", stderr: "", exitCode: isBooted ? 0 : 255 });
      const end = await bench.run(startWith({ $case: "guestTools", guestTools: true }));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.deepEqual(end.vm?.ipAddresses, ["10.0.0.7"]);
      assert(bench.clock.monotonicMs() >= 8_000);
    });

    it("by exec passes the command to the guest's shell", async () => {
      bench.parallels.addVm({ name: poolVmName, ipAddresses: ["10.0.0.7"] });
      await bench.run(startWith({ $case: "exec", exec: "test -e /ready" }));
      assert.equal(bench.parallels.calls.find((call) => call.method === "execute")?.detail, "sh -c test -e /ready");
    });

    it("by TCP waits for the address and for the port", async () => {
      const vm = bench.parallels.addVm({ name: poolVmName });
      bench.clock.after(5_000, () => bench.parallels.changeVm(vm.id, { ipAddresses: ["10.0.0.7"] }));
      bench.clock.after(9_000, () => bench.openPorts.add("10.0.0.7:22"));
      const end = await bench.run(startWith({ $case: "tcpPort", tcpPort: 22 }));
      assert.deepEqual(end.vm?.ipAddresses, ["10.0.0.7"]);
      assert(bench.clock.monotonicMs() >= 9_000);
    });

    it("that never comes fails with NotReady and suspects the template", async () => {
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.onExecute = () => ({ stdout: "", stderr: "", exitCode: 1 });
      const end = await bench.run(startWith({ $case: "guestTools", guestTools: true }, 30_000));
      assert.equal(end.failure?.reason, "NotReady");
      assert.equal(end.failure.suspect, Failure_Suspect.SUSPECT_TEMPLATE);
      assert.equal(end.vm?.state, "running");
    });

    it("ends at once when the guest shuts itself down", async () => {
      const vm = bench.parallels.addVm({ name: poolVmName });
      bench.parallels.onExecute = () => ({ stdout: "", stderr: "", exitCode: 1 });
      bench.clock.after(3_000, () => bench.parallels.changeVm(vm.id, { state: "stopped" }));
      const end = await bench.run(startWith({ $case: "guestTools", guestTools: true }));
      assert.equal(end.failure?.reason, "StoppedBeforeReady");
      assert(bench.clock.monotonicMs() < 5_000);
    });

    it("is not held up by one attempt that hangs", async () => {
      bench.parallels.addVm({ name: poolVmName, ipAddresses: ["10.0.0.7"] });
      let attempts = 0;
      bench.parallels.onExecute = (request) => {
        attempts += 1;
        return attempts === 1 ? hang(request.signal) : { stdout: "", stderr: "", exitCode: 0 };
      };
      const end = await bench.run(startWith({ $case: "guestTools", guestTools: true }));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.equal(attempts, 2);
    });

    it("without an address succeeds after a bounded wait", async () => {
      bench.parallels.addVm({ name: poolVmName });
      const end = await bench.run(startWith({ $case: "guestTools", guestTools: true }));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.equal(bench.clock.monotonicMs(), 10_000);
    });
  });
});
