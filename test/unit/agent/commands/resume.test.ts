import assert from "node:assert/strict";
import type { Action } from "../../../../agent/commands/perform.ts";
import { type Command, CommandUpdate_State } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { commandOf, createByClone, createFromCatalog, poolVmName } from "../../../support/agent/commands.ts";
import { FakeClock, settle } from "../../../support/agent/fake-clock.ts";
import { FakeParallels, hang } from "../../../support/agent/fake-parallels.ts";
import { SimulatedDisk } from "../../../support/agent/simulated-disk.ts";

const { STATE_RUNNING, STATE_SUCCEEDED, STATE_FAILED } = CommandUpdate_State;
const exec: Action = { $case: "exec", exec: { command: ["make"], env: {}, timeoutMs: 60_000 } };
const restart: Action = { $case: "restart", restart: { readiness: undefined } };

/** Each bench is one run of the agent on the same Mac and the same disk; one that is left without `close` was killed. */
describe("a command that a killed agent has left open", () => {
  let disk: SimulatedDisk;
  let clock: FakeClock;
  let parallels: FakeParallels;
  const runs: CommandBench[] = [];

  beforeEach(() => {
    disk = new SimulatedDisk();
    clock = new FakeClock();
    parallels = new FakeParallels();
  });

  afterEach(() => Promise.all(runs.splice(0).map((run) => run.close())));

  async function startRun(): Promise<CommandBench> {
    const run = new CommandBench({ clock, parallels, journal: await disk.journal({ clock }) });
    runs.push(run);
    run.dispatcher.resume();
    return run;
  }

  /** From now on the killed run changes nothing on the Mac and on the disk. */
  async function kill(): Promise<void> {
    const killed = disk;
    disk = new SimulatedDisk();
    disk.bytes = killed.bytes;
    parallels.interfere = (_call, signal) => hang(signal);
    await settle();
    await runs.at(-1)?.close();
    parallels.interfere = () => undefined;
  }

  /** Has the VM started, with a disk that is full from when the command was begun. */
  async function startUnwritten(run: CommandBench): Promise<Command> {
    const command = commandOf({ $case: "start", start: { readiness: undefined } });
    parallels.interfere = (call) => {
      if (call.method === "changeState") disk.isFull = true;
    };
    run.dispatcher.handle(command);
    await clock.advance(20_000);
    return command;
  }

  it("is taken up again without the server, and is told of as ended", async () => {
    parallels.addVm({ name: poolVmName });
    const command = commandOf({ $case: "start", start: { readiness: undefined } });
    parallels.interfere = (call, signal) => (call.method === "changeState" ? hang(signal) : undefined);
    const first = await startRun();
    first.dispatcher.handle(command);
    await settle();
    await kill();
    const second = await startRun();
    assert.equal((await second.finish(command)).state, STATE_SUCCEEDED);
    assert.equal(parallels.vmNamed(poolVmName)?.state, "running");
    assert.deepEqual(
      second.memory.unsettled().map(({ commandId, state }) => [commandId, state]),
      [[command.id, STATE_SUCCEEDED]],
    );
  });

  it("is not begun a second time when the server repeats it", async () => {
    parallels.addVm({ name: "golden" });
    const command = commandOf(createByClone("golden"));
    const first = await startRun();
    await first.run(command);
    await kill();
    const second = await startRun();
    second.dispatcher.handle(command);
    await settle();
    assert.equal(second.endOf(command)?.state, STATE_SUCCEEDED);
    assert.equal(parallels.countCalls("cloneVm"), 1);
  });

  it("of an older generation than the killed agent had seen is refused", async () => {
    parallels.addVm({ name: poolVmName });
    await (await startRun()).run(commandOf({ $case: "start", start: { readiness: undefined } }, { generation: 5 }));
    await kill();
    const end = await (await startRun()).run(commandOf({ $case: "stop", stop: { force: true } }, { generation: 4 }));
    assert.equal(end.failure?.reason, "StaleGeneration");
    assert.equal(parallels.vmNamed(poolVmName)?.state, "running");
  });

  it("goes on with a copy that is known to be finished", async () => {
    parallels.addVm({ name: "golden" });
    const command = commandOf(createByClone("golden", { cpuCount: 8, memoryMib: 0, diskMib: 0 }));
    parallels.interfere = (call, signal) => (call.method === "configureVm" ? hang(signal) : undefined);
    const first = await startRun();
    first.dispatcher.handle(command);
    await clock.advanceUntil(() => parallels.countCalls("configureVm") === 1, 10_000);
    const made = parallels.vmNamed(poolVmName)?.id;
    await kill();
    const end = await (await startRun()).finish(command);
    assert.equal(end.state, STATE_SUCCEEDED);
    assert.equal(end.vm?.id, made);
    assert.equal(end.vm?.resources?.cpuCount, 8);
    assert.equal(parallels.countCalls("cloneVm"), 1);
  });

  it("makes a copy anew that was cut off, and leaves no other", async () => {
    const golden = parallels.addVm({ name: "golden" });
    const command = commandOf(createByClone("golden"));
    let half = "";
    parallels.interfere = (call, signal) => {
      if (call.method !== "cloneVm") return undefined;
      half = parallels.addVm({ ...golden, id: "half", name: poolVmName }).id;
      return hang(signal);
    };
    const first = await startRun();
    first.dispatcher.handle(command);
    await clock.advanceUntil(() => half !== "", 10_000);
    await kill();
    const end = await (await startRun()).finish(command);
    assert.equal(end.state, STATE_SUCCEEDED);
    assert.notEqual(end.vm?.id, half);
    assert.equal(parallels.vms.size, 2);
  });

  it("follows the job of a pull that goes on, and begins no other", async () => {
    const command = commandOf(createFromCatalog());
    const first = await startRun();
    first.dispatcher.handle(command);
    await clock.advanceUntil(() => parallels.begun.length === 1, 10_000);
    const jobId = parallels.begun[0]?.jobId ?? "";
    await kill();
    const second = await startRun();
    await clock.advance(5_000);
    parallels.addVm({ name: poolVmName });
    parallels.moveJob(jobId, { state: "succeeded" });
    assert.equal((await second.finish(command)).state, STATE_SUCCEEDED);
    assert.deepEqual([...parallels.jobs.keys()], [jobId]);
    assert.equal(parallels.vms.size, 1);
  });

  it("is not run again in a guest, and says so", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    parallels.onExecute = ({ signal }) => hang(signal);
    const command = commandOf(exec);
    const first = await startRun();
    first.dispatcher.handle(command);
    await clock.advanceUntil(() => parallels.countCalls("execute") === 1, 10_000);
    await kill();
    const end = await (await startRun()).finish(command);
    assert.equal(end.state, STATE_FAILED);
    assert.equal(end.failure?.reason, "ExecInterrupted");
    assert.equal(parallels.countCalls("execute"), 1);
  });

  it("restarts no guest twice", async () => {
    parallels.addVm({ name: poolVmName, state: "running" });
    const command = commandOf(restart);
    parallels.interfere = (call, signal) => (call.method === "changeState" ? hang(signal) : undefined);
    const first = await startRun();
    first.dispatcher.handle(command);
    await clock.advanceUntil(() => parallels.countCalls("changeState") === 1, 10_000);
    await kill();
    assert.equal((await (await startRun()).finish(command)).state, STATE_SUCCEEDED);
    assert.equal(parallels.countCalls("changeState"), 1);
  });

  it("is refused when it cannot be written down, and nothing is done", async () => {
    parallels.addVm({ name: poolVmName });
    const run = await startRun();
    disk.isFull = true;
    const command = commandOf({ $case: "start", start: { readiness: undefined } });
    const end = await run.run(command);
    assert.equal(end.failure?.reason, "JournalNotWritten");
    assert.equal(end.failure?.retryable, true);
    assert.equal(parallels.countCalls("changeState"), 0);
    disk.isFull = false;
    await clock.advance(10_000);
    run.updates.length = 0;
    assert.equal((await run.run(command)).state, STATE_SUCCEEDED);
  });

  it("does not tell of an end that a full disk has not taken, and tells of it when there is room", async () => {
    parallels.addVm({ name: poolVmName });
    const run = await startRun();
    const command = await startUnwritten(run);
    assert.equal(parallels.vmNamed(poolVmName)?.state, "running");
    run.dispatcher.handle(command);
    assert.equal(run.endOf(command), undefined);
    assert.deepEqual(
      run.memory.unsettled().map(({ state }) => state),
      [STATE_RUNNING],
    );
    disk.isFull = false;
    assert.equal((await run.finish(command, 10_000)).state, STATE_SUCCEEDED);
    assert.equal(parallels.countCalls("changeState"), 1);
    assert.equal((await disk.journal()).state.find(command.id)?.state, STATE_SUCCEEDED);
  });

  it("ends once for the server, however it ends after a disk that was full", async () => {
    parallels.addVm({ name: poolVmName });
    const first = await startRun();
    const command = await startUnwritten(first);
    await kill();
    parallels.vms.clear();
    assert.equal((await (await startRun()).finish(command)).state, STATE_FAILED);
    assert.equal(first.endOf(command), undefined);
  });

  it("lets a lease end its VM while its end cannot be written", async () => {
    parallels.addVm({ name: poolVmName });
    const run = await startRun();
    const { vmUid, hostVmName, hostVmId } = await startUnwritten(run);
    let isEnded = false;
    const ending = run.dispatcher.endVm({ vmUid, hostVmName, hostVmId }, new AbortController().signal).then(() => {
      isEnded = true;
    });
    await clock.advanceUntil(() => isEnded, 60_000);
    assert.equal(isEnded, true);
    await ending;
    assert.equal(parallels.vms.size, 0);
  });

  it("is on disk before anything is done", async () => {
    parallels.addVm({ name: poolVmName });
    const run = await startRun();
    const gate = Promise.withResolvers<void>();
    disk.gate = gate.promise;
    const command = commandOf({ $case: "start", start: { readiness: undefined } });
    run.dispatcher.handle(command);
    run.dispatcher.handle(command);
    await settle();
    assert.deepEqual(run.updatesOf(command), []);
    assert.equal(parallels.countCalls("changeState"), 0);
    gate.resolve();
    assert.equal((await run.finish(command)).state, STATE_SUCCEEDED);
    assert.equal(parallels.countCalls("changeState"), 1);
  });
});
