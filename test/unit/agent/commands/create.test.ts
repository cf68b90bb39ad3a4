import assert from "node:assert/strict";
import { ParallelsError } from "../../../../agent/parallels/api.ts";
import { CommandUpdate_State, Failure_Suspect } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { commandOf, createByClone, createFromCatalog, poolVmName } from "../../../support/agent/commands.ts";
import { settle } from "../../../support/agent/fake-clock.ts";
import { failing, hang } from "../../../support/agent/fake-parallels.ts";

const { STATE_SUCCEEDED, STATE_FAILED, STATE_RUNNING } = CommandUpdate_State;

describe("create", () => {
  let bench: CommandBench;

  beforeEach(() => {
    bench = new CommandBench();
  });

  afterEach(() => bench.close());

  describe("by cloning", () => {
    it("makes a stopped VM under the given name with the resources that were asked for", async () => {
      bench.parallels.addVm({ name: "golden", cpuCount: 2, memoryMib: 4_096 });
      const end = await bench.run(commandOf(createByClone("golden", { cpuCount: 6, memoryMib: 8_192, diskMib: 0 })));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.equal(end.vm?.name, poolVmName);
      assert.equal(end.vm.state, "stopped");
      assert.deepEqual(end.vm.resources, { cpuCount: 6, memoryMib: 8_192, diskMib: 65_536 });
    });

    it("does not configure what is as asked for already", async () => {
      bench.parallels.addVm({ name: "golden", cpuCount: 2, memoryMib: 4_096 });
      await bench.run(commandOf(createByClone("golden", { cpuCount: 2, memoryMib: 0, diskMib: 0 })));
      assert.equal(bench.parallels.countCalls("configureVm"), 0);
    });

    it("makes a copy anew that nobody knows to be finished, since it may have its source's MAC address", async () => {
      bench.parallels.addVm({ name: "golden" });
      const remains = bench.parallels.addVm({ name: poolVmName });
      const end = await bench.run(commandOf(createByClone("golden")));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.notEqual(end.vm?.id, remains.id);
      assert.equal(bench.parallels.vms.size, 2);
    });

    it("stops what turned out to be running", async () => {
      bench.parallels.addVm({ name: "golden" });
      const found = bench.parallels.addVm({ name: poolVmName, state: "running" });
      const end = await bench.run(commandOf(createByClone("golden")));
      assert.equal(end.vm?.state, "stopped");
      assert.equal(end.vm.id, found.id);
    });

    it("replaces invalid remains", async () => {
      bench.parallels.addVm({ name: "golden" });
      const remains = bench.parallels.addVm({ name: poolVmName, state: "invalid" });
      const end = await bench.run(commandOf(createByClone("golden")));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.notEqual(end.vm?.id, remains.id);
    });

    it("fails with SourceVmMissing, suspecting the template, when the source is not on the Mac", async () => {
      const end = await bench.run(commandOf(createByClone("golden")));
      assert.equal(end.state, STATE_FAILED);
      assert.equal(end.failure?.reason, "SourceVmMissing");
      assert.equal(end.failure.suspect, Failure_Suspect.SUSPECT_TEMPLATE);
    });

    it("fails with SourceVmNotStopped when somebody runs the source", async () => {
      bench.parallels.addVm({ name: "golden", state: "running" });
      const end = await bench.run(commandOf(createByClone("golden")));
      assert.equal(end.failure?.reason, "SourceVmNotStopped");
      assert.equal(end.failure.suspect, Failure_Suspect.SUSPECT_HOST);
    });

    it("makes a copy anew that was finished after its call had timed out", async () => {
      bench.parallels.addVm({ name: "golden" });
      let late = "";
      bench.parallels.interfere = (call) => {
        if (call.method !== "cloneVm" || late !== "") return;
        late = "awaited";
        bench.clock.after(20_000, () => {
          late = bench.parallels.addVm({ name: poolVmName }).id;
        });
        throw new ParallelsError("timed-out", "no answer in time");
      };
      const end = await bench.run(commandOf(createByClone("golden")));
      assert.equal(end.state, STATE_SUCCEEDED);
      assert.equal(bench.parallels.countCalls("cloneVm"), 2);
      assert.notEqual(end.vm?.id, late);
      assert.equal(bench.parallels.vms.size, 2);
    });

    it("removes what was half made when it fails", async () => {
      bench.parallels.addVm({ name: "golden" });
      bench.parallels.interfere = failing("failed", (call) => call.method === "configureVm");
      const end = await bench.run(commandOf(createByClone("golden", { cpuCount: 8, memoryMib: 0, diskMib: 0 })));
      assert.equal(end.state, STATE_FAILED);
      assert.equal(end.failure?.reason, "ParallelsFailed");
      assert.equal(end.vm, undefined);
      assert.equal(bench.parallels.vmNamed(poolVmName), undefined);
    });

    it("shows in the update what could not be removed", async () => {
      bench.parallels.addVm({ name: "golden" });
      bench.parallels.interfere = failing(
        "failed",
        (call) => call.method === "configureVm" || call.method === "deleteVm",
      );
      const end = await bench.run(commandOf(createByClone("golden", { cpuCount: 8, memoryMib: 0, diskMib: 0 })));
      assert.equal(end.state, STATE_FAILED);
      assert.equal(end.vm?.name, poolVmName);
    });

    it("says when it cannot look what is left", async () => {
      bench.parallels.addVm({ name: "golden" });
      let isListBroken = false;
      bench.parallels.interfere = (call) => {
        if (call.method === "configureVm") isListBroken = true;
        if (isListBroken) throw new ParallelsError("failed", "exit status 255");
      };
      const end = await bench.run(commandOf(createByClone("golden", { cpuCount: 8, memoryMib: 0, diskMib: 0 })));
      assert.equal(end.state, STATE_FAILED);
      // The last list showed it.
      assert.equal(end.vm?.name, poolVmName);
      assert.equal(end.vmUnknown, false);
      const other = commandOf(createByClone("golden"), { hostVmName: `${poolVmName.slice(0, -1)}9` });
      const blind = await bench.run(other);
      assert.equal(blind.state, STATE_FAILED);
      assert.equal(blind.vm, undefined);
      assert.equal(blind.vmUnknown, true);
    });

    it("removes what was made when it is cancelled", async () => {
      bench.parallels.addVm({ name: "golden" });
      bench.parallels.interfere = (call, signal) => (call.method === "configureVm" ? hang(signal) : undefined);
      const command = commandOf(createByClone("golden", { cpuCount: 8, memoryMib: 0, diskMib: 0 }));
      bench.dispatcher.handle(command);
      await bench.clock.advanceUntil(() => bench.parallels.countCalls("configureVm") > 0, 1_000);
      bench.dispatcher.cancel(command.id, "the VM is no longer wanted");
      const end = await bench.finish(command);
      assert.equal(end.failure?.reason, "Cancelled");
      assert.equal(bench.parallels.vmNamed(poolVmName), undefined);
    });

    it("is not over, when it is cancelled while a clone is made, before the clone is there and removed", async () => {
      bench.parallels.addVm({ name: "golden" });
      const copied = Promise.withResolvers<void>();
      bench.parallels.interfere = (call) => (call.method === "cloneVm" ? copied.promise : undefined);
      const command = commandOf(createByClone("golden"));
      bench.dispatcher.handle(command);
      await bench.clock.advanceUntil(() => bench.parallels.countCalls("cloneVm") > 0, 1_000);
      bench.dispatcher.cancel(command.id, "the VM is no longer wanted");
      await settle();
      assert.equal(bench.endOf(command), undefined);
      copied.resolve();
      const end = await bench.finish(command);
      assert.equal(end.failure?.reason, "Cancelled");
      assert.equal(bench.parallels.countCalls("deleteVm"), 1);
      assert.equal(bench.parallels.vmNamed(poolVmName), undefined);
    });

    it("is not over, when it is cancelled during a clone of which no answer comes, before the clone is there", async () => {
      bench.parallels.addVm({ name: "golden" });
      const answer = Promise.withResolvers<void>();
      bench.parallels.interfere = (call) => (call.method === "cloneVm" ? answer.promise : undefined);
      const command = commandOf(createByClone("golden"));
      bench.dispatcher.handle(command);
      await bench.clock.advanceUntil(() => bench.parallels.countCalls("cloneVm") > 0, 1_000);
      bench.dispatcher.cancel(command.id, "the VM is no longer wanted");
      answer.reject(new ParallelsError("timed-out", "no answer in time"));
      await bench.clock.advance(20_000);
      assert.equal(bench.endOf(command), undefined);
      bench.parallels.addVm({ name: poolVmName });
      const end = await bench.finish(command);
      assert.equal(end.failure?.reason, "Cancelled");
      assert.equal(bench.parallels.vmNamed(poolVmName), undefined);
    });

    it("is not over, when it is cancelled while an image is pulled, because one question after it stays open", async () => {
      const command = commandOf(createFromCatalog());
      bench.dispatcher.handle(command);
      await bench.clock.advanceUntil(() => bench.parallels.begun.length > 0, 1_000);
      const jobId = bench.parallels.begun[0]?.jobId ?? "";
      bench.parallels.areEventsOn = false;
      let unanswered = 0;
      bench.parallels.interfere = (call) => {
        if (call.method !== "readJob" || unanswered === 2) return;
        unanswered += 1;
        throw new ParallelsError("timed-out", "the answer did not come through");
      };
      bench.dispatcher.cancel(command.id, "the VM is no longer wanted");
      await bench.clock.advance(20_000);
      assert.equal(unanswered, 2);
      assert.equal(bench.endOf(command), undefined);
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(jobId, { state: "succeeded" });
      assert.equal((await bench.finish(command)).failure?.reason, "Cancelled");
      assert.equal(bench.parallels.vmNamed(poolVmName), undefined);
    });

    it("is not over, when it is cancelled while an image is pulled, before the VM is there and removed", async () => {
      const command = commandOf(createFromCatalog());
      bench.dispatcher.handle(command);
      await bench.clock.advanceUntil(() => bench.parallels.begun.length > 0, 1_000);
      const jobId = bench.parallels.begun[0]?.jobId ?? "";
      bench.dispatcher.cancel(command.id, "the VM is no longer wanted");
      await bench.clock.advance(10_000);
      assert.equal(bench.endOf(command), undefined);
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(jobId, { state: "succeeded" });
      const end = await bench.finish(command);
      assert.equal(end.failure?.reason, "Cancelled");
      assert.equal(bench.parallels.vmNamed(poolVmName), undefined);
    });

    it("leaves what was made alone when only the agent stops", async () => {
      bench.parallels.addVm({ name: "golden" });
      bench.parallels.interfere = (call, signal) => (call.method === "configureVm" ? hang(signal) : undefined);
      const command = commandOf(createByClone("golden", { cpuCount: 8, memoryMib: 0, diskMib: 0 }));
      bench.dispatcher.handle(command);
      await bench.clock.advanceUntil(() => bench.parallels.countCalls("configureVm") > 0, 1_000);
      await bench.close();
      assert.equal(bench.endOf(command), undefined);
      assert.notEqual(bench.parallels.vmNamed(poolVmName), undefined);
    });

    it("waits out a local service that is away for a minute", async () => {
      bench.parallels.addVm({ name: "golden" });
      await settle();
      const backAtMs = bench.clock.monotonicMs() + 60_000;
      const unreachable = failing("unreachable", () => bench.clock.monotonicMs() < backAtMs);
      bench.parallels.interfere = unreachable;
      const end = await bench.run(commandOf(createByClone("golden"), { silenceLimitMs: 300_000 }));
      assert.equal(end.state, STATE_SUCCEEDED);
    });

    it("gives up on a local service that stays away", async () => {
      bench.parallels.interfere = failing("unreachable", () => true);
      const end = await bench.run(commandOf(createByClone("golden"), { silenceLimitMs: 300_000 }));
      assert.equal(end.failure?.reason, "ParallelsUnreachable");
      assert.equal(end.failure.retryable, true);
    });
  });

  describe("from a catalog", () => {
    const command = (): ReturnType<typeof commandOf> => commandOf(createFromCatalog());

    async function begin(create = command(), jobCount = 1): Promise<{ create: typeof create; jobId: string }> {
      bench.dispatcher.handle(create);
      await bench.clock.advanceUntil(() => bench.parallels.begun.length >= jobCount, 1_000);
      return { create, jobId: bench.parallels.begun.at(-1)?.jobId ?? "" };
    }

    it("follows the job by its events and reports its progress", async () => {
      const { create, jobId } = await begin();
      assert.equal(jobId, `meridian-${create.id}`);
      bench.parallels.moveJob(jobId, { step: "download", percent: 40, etaMs: 9_000 });
      await settle();
      const running = bench.updatesOf(create).at(-1);
      assert.equal(running?.state, STATE_RUNNING);
      assert.deepEqual(running.progress, { step: "download", percent: 40, etaMs: 9_000, message: "" });
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(jobId, { state: "succeeded", percent: 100 });
      await settle();
      assert.equal(bench.endOf(create)?.state, STATE_SUCCEEDED);
    });

    it("asks for the job when no events come", async () => {
      bench.parallels.areEventsOn = false;
      const { create, jobId } = await begin();
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(jobId, { state: "succeeded" });
      assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
    });

    it("is slow without failing as long as something moves", async () => {
      const { create, jobId } = await begin();
      for (let percent = 1; percent <= 30; percent += 1) {
        bench.parallels.moveJob(jobId, { step: "download", percent });
        await bench.clock.advance(50_000);
      }
      assert.equal(bench.endOf(create), undefined);
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(jobId, { state: "succeeded" });
      assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
    });

    it("fails with NoProgress when nothing moves for the limit", async () => {
      const { create, jobId } = await begin();
      bench.parallels.moveJob(jobId, { step: "download", percent: 10 });
      await bench.clock.advance(59_000);
      assert.equal(bench.endOf(create), undefined);
      const end = await bench.finish(create, 10_000);
      assert.equal(end.failure?.reason, "NoProgress");
      assert.equal(end.failure.retryable, true);
    });

    it("believes a failed job at once when it was not silent", async () => {
      const { create, jobId } = await begin();
      bench.parallels.moveJob(jobId, { state: "failed", error: "Error pulling manifest: not found" });
      const end = await bench.finish(create, 1_000);
      assert.equal(end.failure?.reason, "CatalogFailed");
      assert.equal(end.failure.suspect, Failure_Suspect.SUSPECT_TEMPLATE);
    });

    it("names a full disk", async () => {
      const { create, jobId } = await begin();
      bench.parallels.moveJob(jobId, { state: "failed", error: "write: no space left on device" });
      assert.equal((await bench.finish(create, 1_000)).failure?.reason, "DiskFull");
    });

    it("does not believe that a job failed which was only silent, and takes the VM when it appears", async () => {
      const create = commandOf(createFromCatalog(), { silenceLimitMs: 900_000 });
      const { jobId } = await begin(create);
      bench.parallels.moveJob(jobId, { step: "download", percent: 10 });
      await bench.clock.advance(300_000);
      bench.parallels.moveJob(jobId, { state: "failed", error: "job has been idle for too long" });
      await bench.clock.advance(200_000);
      assert.equal(bench.endOf(create), undefined);
      bench.parallels.addVm({ name: poolVmName });
      assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
    });

    it("begins a job again, under the same id, that the service has forgotten", async () => {
      const { create, jobId } = await begin();
      bench.parallels.jobs.clear();
      await bench.clock.advanceUntil(() => bench.parallels.begun.length === 2, 20_000);
      assert.equal(bench.parallels.begun[1]?.jobId, jobId);
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(jobId, { state: "succeeded" });
      assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
    });

    describe("whose beginning had no answer in time", () => {
      /** The job begins after a while all the same. */
      async function beginLate(): Promise<ReturnType<typeof command>> {
        const create = command();
        let isLost = false;
        bench.parallels.interfere = (call) => {
          if (call.method !== "beginCreate" || isLost) return;
          isLost = true;
          throw new ParallelsError("timed-out", "no answer in time");
        };
        bench.dispatcher.handle(create);
        await bench.clock.advanceUntil(() => isLost, 1_000);
        await bench.clock.advance(30_000);
        return create;
      }

      it("begins no second pull, and follows the job once it is known", async () => {
        const create = await beginLate();
        const jobId = `meridian-${create.id}`;
        bench.parallels.moveJob(jobId, { step: "download", percent: 10 });
        await bench.clock.advance(20_000);
        bench.parallels.addVm({ name: poolVmName });
        bench.parallels.moveJob(jobId, { state: "succeeded" });
        assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
        assert.equal(bench.parallels.countCalls("beginCreate"), 1);
      });

      it("fails when the job never comes", async () => {
        const create = await beginLate();
        assert.equal((await bench.finish(create)).failure?.reason, "NoProgress");
        assert.equal(bench.parallels.countCalls("beginCreate"), 1);
      });

      it("removes the VM when it was cancelled meanwhile, and is not over before", async () => {
        const create = await beginLate();
        bench.dispatcher.cancel(create.id, "the VM is no longer wanted");
        await bench.clock.advance(20_000);
        assert.equal(bench.endOf(create), undefined);
        bench.parallels.addVm({ name: poolVmName });
        assert.equal((await bench.finish(create)).failure?.reason, "Cancelled");
        assert.equal(bench.parallels.vmNamed(poolVmName), undefined);
      });
    });

    it("follows a job that an earlier run of the agent began, and begins no second pull", async () => {
      const create = command();
      const jobId = `meridian-${create.id}`;
      bench.parallels.moveJob(jobId, { step: "download", percent: 70 });
      bench.dispatcher.handle(create);
      await settle();
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(jobId, { state: "succeeded" });
      assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
      assert.equal(bench.parallels.begun.length, 0);
    });

    it("finds what an earlier try has made, waits for the end of its job, and makes no second one", async () => {
      const create = command();
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.moveJob(`meridian-${create.id}`, { step: "register" });
      bench.dispatcher.handle(create);
      await bench.clock.advance(20_000);
      assert.equal(bench.endOf(create), undefined);
      bench.parallels.moveJob(`meridian-${create.id}`, { state: "succeeded" });
      assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
      assert.deepEqual(bench.parallels.begun, []);
      assert.equal(bench.parallels.vms.size, 1);
    });

    it("takes the VM of a forgotten job when it is there", async () => {
      const { create } = await begin();
      bench.parallels.addVm({ name: poolVmName });
      bench.parallels.jobs.clear();
      assert.equal((await bench.finish(create)).state, STATE_SUCCEEDED);
      assert.equal(bench.parallels.begun.length, 1);
    });

    it("pulls one image at a time and other images beside it, as many as the settings say", async () => {
      const vmOf = (name: string): object => ({ hostVmName: name, vmUid: name });
      const first = commandOf(createFromCatalog("A"), vmOf("one"));
      const second = commandOf(createFromCatalog("A"), vmOf("two"));
      const third = commandOf(createFromCatalog("B"), vmOf("three"));
      const fourth = commandOf(createFromCatalog("C"), vmOf("four"));
      for (const create of [first, second, third, fourth]) bench.dispatcher.handle(create);
      await settle();
      assert.deepEqual(
        bench.parallels.begun.map((request) => request.name),
        ["one", "three"],
      );
      bench.parallels.addVm({ name: "one" });
      bench.parallels.moveJob(`meridian-${first.id}`, { state: "succeeded" });
      await bench.finish(first);
      await settle();
      assert.deepEqual(
        bench.parallels.begun.map((request) => request.name),
        ["one", "three", "four"],
      );
      bench.parallels.addVm({ name: "three" });
      bench.parallels.moveJob(`meridian-${third.id}`, { state: "succeeded" });
      await bench.finish(third);
      await settle();
      assert.deepEqual(
        bench.parallels.begun.map((request) => request.name),
        ["one", "three", "four", "two"],
      );
    });
  });
});
