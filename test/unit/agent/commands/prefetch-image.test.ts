import assert from "node:assert/strict";
import { createVolatileJournal } from "../../../../agent/journal/journal.ts";
import { CommandUpdate_State } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { poolVmName, prefetchOf } from "../../../support/agent/commands.ts";
import { settle } from "../../../support/agent/fake-clock.ts";

const { STATE_RUNNING, STATE_SUCCEEDED, STATE_FAILED } = CommandUpdate_State;

describe("the prefetch of an image", () => {
  let bench: CommandBench;
  const command = prefetchOf("macos", "v1");

  beforeEach(() => {
    bench = new CommandBench();
  });
  afterEach(() => bench.close());

  const jobId = (): string => bench.parallels.begun.at(-1)?.jobId ?? assert.fail("nothing was begun");
  const untilBegun = () => bench.clock.advanceUntil(() => bench.parallels.begun.length > 0, 10_000);
  /** The service has made the VM, and has the image in its cache. */
  const finishPull = (): void => {
    const vm = bench.parallels.addVm({ name: poolVmName });
    bench.parallels.images = [{ catalogId: "MACOS", version: "v1", architecture: "arm64", sizeMib: 1 }];
    bench.parallels.moveJob(jobId(), { state: "succeeded", vmId: vm.id });
  };

  it("pulls it by way of a VM that is gone at the end, and tells how far it is", async () => {
    bench.dispatcher.handle(command);
    await untilBegun();
    const [{ name, catalogId, version, apiKey } = assert.fail()] = bench.parallels.begun;
    assert.deepEqual([name, catalogId, version, apiKey], [poolVmName, "macos", "v1", "key"]);
    bench.parallels.moveJob(jobId(), { step: "download", percent: 40 });
    await settle();
    const progress = bench
      .updatesOf(command)
      .find(({ state, progress }) => state === STATE_RUNNING && progress)?.progress;
    assert.deepEqual([progress?.step, progress?.percent], ["download", 40]);
    finishPull();
    const end = await bench.finish(command);
    assert.deepEqual([end.state, end.vm, bench.parallels.vms.size], [STATE_SUCCEEDED, undefined, 0]);
  });

  it("of one that is there is success, without a pull", async () => {
    bench.parallels.images = [{ catalogId: "MACOS", version: "v1", architecture: "arm64", sizeMib: 1 }];
    assert.equal((await bench.run(command)).state, STATE_SUCCEEDED);
    assert.equal(bench.parallels.begun.length, 0);
  });

  it("waits for its turn among the VMs that are made on the Mac", async () => {
    bench.parallelCreates = 1;
    bench.dispatcher.handle(command);
    await untilBegun();
    const second = prefetchOf("LINUX", "v1", { hostVmName: `${poolVmName.slice(0, -1)}2` });
    bench.dispatcher.handle(second);
    await settle();
    assert.equal(bench.parallels.begun.length, 1);
    finishPull();
    await bench.finish(command);
    await bench.clock.advanceUntil(() => bench.parallels.begun.length === 2, 10_000);
  });

  it("that fails says why", async () => {
    bench.dispatcher.handle(command);
    await untilBegun();
    bench.parallels.moveJob(jobId(), { state: "failed", error: "no space left on device" });
    const end = await bench.finish(command);
    assert.deepEqual([end.state, end.failure?.reason], [STATE_FAILED, "DiskFull"]);
  });

  it("that is withdrawn leaves nothing of what the pull still makes", async () => {
    bench.dispatcher.handle(command);
    await untilBegun();
    bench.dispatcher.cancel(command.id, "Withdrawn");
    await settle();
    finishPull();
    const end = await bench.finish(command);
    assert.deepEqual([end.state, end.failure?.reason], [STATE_FAILED, "Cancelled"]);
    assert.equal(bench.parallels.vms.size, 0);
  });

  it("is gone on with by the next run of an agent that was killed before the VM was removed", async () => {
    const journal = createVolatileJournal();
    const shared = { journal, parallels: bench.parallels, clock: bench.clock };
    const earlier = new CommandBench(shared);
    earlier.dispatcher.handle(command);
    await untilBegun();
    await earlier.close();
    finishPull();
    const next = new CommandBench(shared);
    next.dispatcher.resume();
    assert.equal((await next.finish(command)).state, STATE_SUCCEEDED);
    assert.deepEqual([bench.parallels.begun.length, bench.parallels.vms.size], [1, 0]);
    await next.close();
  });
});
