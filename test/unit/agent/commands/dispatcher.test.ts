import assert from "node:assert/strict";
import { unsettledMax } from "../../../../agent/commands/command-check.ts";
import { failureKindOf } from "../../../../agent/commands/failure.ts";
import type { Action } from "../../../../agent/commands/perform.ts";
import type { ParallelsErrorKind } from "../../../../agent/parallels/api.ts";
import { CommandUpdate_State } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { commandOf, createFromCatalog, poolVmName, prefetchOf, purgeOf } from "../../../support/agent/commands.ts";
import { settle } from "../../../support/agent/fake-clock.ts";
import { failing, hang } from "../../../support/agent/fake-parallels.ts";

const { STATE_ACCEPTED, STATE_RUNNING, STATE_SUCCEEDED, STATE_FAILED, STATE_REFUSED } = CommandUpdate_State;
const start: Action = { $case: "start", start: { readiness: undefined } };
const exec: Action = { $case: "exec", exec: { command: ["sw_vers"], env: { CI: "1" }, timeoutMs: 5_000 } };

describe("the dispatcher", () => {
  let bench: CommandBench;

  beforeEach(() => {
    bench = new CommandBench();
  });

  afterEach(() => bench.close());

  it("accepts at once, reports the steps, and ends with the VM as it is", async () => {
    bench.parallels.addVm({ name: poolVmName });
    const command = commandOf(start);
    await bench.run(command);
    assert.deepEqual(
      bench.updatesOf(command).map((update) => update.state),
      [STATE_ACCEPTED, STATE_RUNNING, STATE_SUCCEEDED],
    );
  });

  it("answers a command that it has seen with its last update and does nothing again", async () => {
    bench.parallels.addVm({ name: poolVmName });
    const command = commandOf(start);
    const end = await bench.run(command);
    bench.dispatcher.handle(command);
    await settle();
    assert.equal(bench.updatesOf(command).at(-1), end);
    assert.equal(bench.parallels.countCalls("changeState"), 1);
  });

  it("still knows a command whose end was acknowledged", async () => {
    bench.parallels.addVm({ name: poolVmName });
    const command = commandOf(start);
    const end = await bench.run(command);
    bench.memory.acknowledge(command.id);
    assert.deepEqual(bench.memory.unsettled(), []);
    bench.dispatcher.handle(command);
    assert.equal(bench.updatesOf(command).at(-1), end);
  });

  it("refuses a command of an older epoch, and takes the same one in the present epoch", async () => {
    bench.parallels.addVm({ name: poolVmName });
    bench.dispatcher.beginSession(2);
    const command = commandOf(start, { epoch: 1 });
    assert.equal((await bench.run(command)).failure?.reason, "StaleEpoch");
    assert.equal(bench.parallels.countCalls("changeState"), 0);
    bench.dispatcher.handle({ ...command, epoch: 2 });
    await settle();
    assert.equal(bench.updatesOf(command).at(-1)?.state, STATE_SUCCEEDED);
  });

  it("refuses a command of an older generation of the same VM only", async () => {
    bench.parallels.addVm({ name: poolVmName });
    await bench.run(commandOf(start, { generation: 5 }));
    const stale = await bench.run(commandOf(start, { generation: 4 }));
    assert.equal(stale.state, STATE_REFUSED);
    assert.equal(stale.failure?.reason, "StaleGeneration");
    assert.equal((await bench.run(commandOf(start, { generation: 5 }))).state, STATE_SUCCEEDED);
    const other = commandOf(start, { generation: 1, vmUid: "other", hostVmName: "other" });
    assert.equal((await bench.run(other)).failure?.reason, "VmNotFound");
  });

  it("refuses a kind that it does not know", async () => {
    assert.equal((await bench.run(commandOf(undefined))).failure?.reason, "UnknownCommand");
  });

  const faulty: readonly [string, ReturnType<typeof commandOf>][] = [
    ["that names no VM", commandOf(start, { hostVmName: "" })],
    ["to create without a name", commandOf(createFromCatalog(), { hostVmName: "", hostVmId: "x" })],
    ["to create from an image without an id", commandOf(createFromCatalog(""))],
    ["to purge nothing", purgeOf("", "v1")],
    ["to purge every version of an image", purgeOf("MACOS", "")],
    ["to pull nothing ahead", prefetchOf("", "v1")],
    ["to pull ahead without a name", prefetchOf("MACOS", "v1", { hostVmName: "", hostVmId: "x" })],
    ["to run nothing", commandOf({ $case: "exec", exec: { command: [], env: {}, timeoutMs: 0 } })],
  ];
  for (const [what, command] of faulty) {
    it(`refuses a command ${what}`, async () => {
      const end = await bench.run(command);
      assert.equal(end.state, STATE_REFUSED);
      assert.equal(end.failure?.reason, "CommandInvalid");
    });
  }

  it("refuses what is beyond its bound and remembers nothing of it", () => {
    bench.parallels.interfere = (_call, signal) => hang(signal);
    for (let count = 0; count < unsettledMax; count += 1) bench.dispatcher.handle(commandOf(start));
    const beyond = commandOf(start);
    bench.dispatcher.handle(beyond);
    assert.equal(bench.endOf(beyond)?.failure?.reason, "TooManyCommands");
    assert.equal(bench.memory.find(beyond.id), undefined);
  });

  it("does the commands of one VM one after the other, and of two VMs side by side", async () => {
    const mine = bench.parallels.addVm({ name: poolVmName, state: "running" });
    const other = bench.parallels.addVm({ name: "other", state: "running" });
    let openFirst: () => void = () => undefined;
    bench.parallels.onExecute = () =>
      new Promise((resolve) => {
        openFirst = () => resolve({ stdout: "", stderr: "", exitCode: 0 });
      });
    const first = commandOf(exec);
    const second = commandOf({ $case: "stop", stop: { force: true } });
    const third = commandOf(
      { $case: "stop", stop: { force: true } },
      { vmUid: "", hostVmName: "", hostVmId: other.id },
    );
    for (const command of [first, second, third]) bench.dispatcher.handle(command);
    await settle();
    assert.equal(bench.parallels.vms.get(other.id)?.state, "stopped");
    assert.equal(bench.parallels.vms.get(mine.id)?.state, "running");
    openFirst();
    await bench.finish(second);
    assert.equal(bench.parallels.vms.get(mine.id)?.state, "stopped");
  });

  it("takes a person's VM by its id or by its name for the same VM", async () => {
    const vm = bench.parallels.addVm({ name: "by-hand", state: "running" });
    await settle();
    bench.parallels.onExecute = ({ signal }) => hang(signal);
    const byId = commandOf(exec, { vmUid: "", hostVmName: "", hostVmId: vm.id });
    const byName = commandOf(
      { $case: "stop", stop: { force: true } },
      { vmUid: "", hostVmName: "", hostVmId: vm.name },
    );
    bench.watch.refresh();
    await settle();
    bench.dispatcher.handle(byId);
    bench.dispatcher.handle(byName);
    await settle();
    assert.equal(bench.parallels.vms.get(vm.id)?.state, "running");
    bench.dispatcher.cancel(byId.id, "");
    await bench.finish(byName);
    assert.equal(bench.parallels.vms.get(vm.id)?.state, "stopped");
  });

  it("will not guess between two VMs of one name", async () => {
    bench.parallels.addVm({ name: "twin", state: "running" });
    bench.parallels.addVm({ name: "twin", state: "running" });
    const end = await bench.run(
      commandOf({ $case: "delete", delete: { force: true } }, { vmUid: "", hostVmName: "", hostVmId: "twin" }),
    );
    assert.equal(end.failure?.reason, "AmbiguousVmName");
    assert.equal(bench.parallels.vms.size, 2);
  });

  it("ends a command that was cancelled while it waited for its turn", async () => {
    bench.parallels.addVm({ name: poolVmName, state: "running" });
    bench.parallels.onExecute = ({ signal }) => hang(signal);
    bench.dispatcher.handle(commandOf(exec));
    const waiting = commandOf({ $case: "stop", stop: { force: true } });
    bench.dispatcher.handle(waiting);
    await settle();
    bench.dispatcher.cancel(waiting.id, "not wanted");
    await settle();
    assert.equal(bench.endOf(waiting)?.failure?.reason, "Cancelled");
  });

  it("ignores the cancellation of what has ended or is not known", async () => {
    bench.parallels.addVm({ name: poolVmName });
    const command = commandOf(start);
    await bench.run(command);
    bench.dispatcher.cancel(command.id, "");
    bench.dispatcher.cancel("never-heard-of", "");
    await settle();
    assert.equal(bench.updatesOf(command).at(-1)?.state, STATE_SUCCEEDED);
  });

  it("when it closes, leaves what is under way open and says nothing more", async () => {
    bench.parallels.addVm({ name: poolVmName, state: "running" });
    bench.parallels.onExecute = ({ signal }) => hang(signal);
    const command = commandOf(exec);
    bench.dispatcher.handle(command);
    await settle();
    await bench.dispatcher.close();
    assert.equal(bench.endOf(command), undefined);
    assert.equal(bench.memory.unsettled().length, 1);
  });

  it("reports progress at most once a second within a step", async () => {
    const command = commandOf(createFromCatalog());
    bench.dispatcher.handle(command);
    await bench.clock.advanceUntil(() => bench.parallels.begun.length === 1, 1_000);
    const jobId = bench.parallels.begun[0]?.jobId ?? "";
    for (let percent = 1; percent <= 40; percent += 1) {
      bench.parallels.moveJob(jobId, { step: "download", percent });
      await bench.clock.advance(100);
    }
    const percents = bench.updatesOf(command).flatMap((update) => update.progress?.percent ?? []);
    assert(percents.length >= 4 && percents.length <= 6, percents.join());
    await bench.clock.advance(1_000);
    assert.equal(bench.updatesOf(command).at(-1)?.progress?.percent, 40);
  });

  describe("exec", () => {
    it("gives back what the command wrote and its exit code, also when it is not 0", async () => {
      bench.parallels.addVm({ name: poolVmName, state: "running" });
      bench.parallels.onExecute = () => ({ stdout: "out", stderr: "err", exitCode: 3 });
      const end = await bench.run(commandOf(exec));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.deepEqual(end.exec, { stdout: Buffer.from("out"), stderr: Buffer.from("err"), exitCode: 3 });
    });

    it("fails with NotRunning when the VM is not running", async () => {
      bench.parallels.addVm({ name: poolVmName });
      assert.equal((await bench.run(commandOf(exec))).failure?.reason, "NotRunning");
    });

    it("fails with ExecTimedOut when the command takes too long", async () => {
      bench.parallels.addVm({ name: poolVmName, state: "running" });
      bench.parallels.interfere = failing("timed-out", (call) => call.method === "execute");
      assert.equal((await bench.run(commandOf(exec))).failure?.reason, "ExecTimedOut");
    });

    it("keeps a bounded part of a large output", async () => {
      bench.parallels.addVm({ name: poolVmName, state: "running" });
      bench.parallels.onExecute = () => ({ stdout: "x".repeat(2_000_000), stderr: "", exitCode: 0 });
      assert.equal((await bench.run(commandOf(exec))).exec?.stdout.length, 256 * 1024);
    });
  });

  describe("configure", () => {
    const configure: Action = {
      $case: "configure",
      configure: { resources: { cpuCount: 8, memoryMib: 0, diskMib: 0 } },
    };

    it("changes a stopped VM", async () => {
      bench.parallels.addVm({ name: poolVmName });
      const end = await bench.run(commandOf(configure));
      assert.equal(end.vm?.resources?.cpuCount, 8);
      assert.equal(end.vm.resources.memoryMib, 4_096);
    });

    it("fails with NotStopped on a running one", async () => {
      bench.parallels.addVm({ name: poolVmName, state: "running" });
      assert.equal((await bench.run(commandOf(configure))).failure?.reason, "NotStopped");
    });
  });

  const kinds: readonly [ParallelsErrorKind, string][] = [
    ["unreachable", "ParallelsUnreachable"],
    ["unauthorised", "ParallelsRefusesAgent"],
    ["vm-not-found", "VmNotFound"],
    ["state-not-allowed", "StateNotAllowed"],
    ["macos-limit", "MacosLimit"],
    ["disk-full", "DiskFull"],
    ["name-taken", "NameTaken"],
    ["catalog", "CatalogFailed"],
    ["failed", "ParallelsFailed"],
  ];
  for (const [kind, reason] of kinds) {
    it(`tells the service's "${kind}" as ${reason}`, async () => {
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.interfere = failing(kind, (call) => call.method === "changeState");
      const end = await bench.run(commandOf(start));
      assert.equal(end.state, STATE_FAILED);
      assert.equal(end.failure?.reason, reason);
      assert.equal(end.failure.retryable, failureKindOf(kind).isRetryable);
      assert.equal(end.vm?.name, poolVmName);
    });
  }
});
