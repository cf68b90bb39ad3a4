import assert from "node:assert/strict";
import { createVolatileJournal } from "../../../../agent/journal/journal.ts";
import { type CachedManifest, ParallelsError } from "../../../../agent/parallels/api.ts";
import { CommandUpdate_State } from "../../../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { CommandBench } from "../../../support/agent/command-bench.ts";
import { purgeOf } from "../../../support/agent/commands.ts";
import { failing, hang } from "../../../support/agent/fake-parallels.ts";

const { STATE_SUCCEEDED, STATE_FAILED } = CommandUpdate_State;

function image(catalogId: string, version: string): CachedManifest {
  return { catalogId, version, architecture: "arm64", sizeMib: 20_000 };
}

describe("the purge of an image", () => {
  let bench: CommandBench;
  const command = purgeOf("macos", "v1");

  beforeEach(() => {
    bench = new CommandBench();
    bench.parallels.images = [image("MACOS", "v1"), image("MACOS", "v2"), image("LINUX", "v1")];
  });
  afterEach(() => bench.close());

  const left = (): readonly string[] =>
    bench.parallels.images.map(({ catalogId, version }) => `${catalogId} ${version}`);
  const removals = (): number => bench.parallels.countCalls("removeCachedImage");

  it("removes that version of it, by the name that the cache has for it, and touches no VM", async () => {
    const end = await bench.run(command);
    assert.deepEqual([end.state, end.vm], [STATE_SUCCEEDED, undefined]);
    assert.deepEqual(left(), ["MACOS v2", "LINUX v1"]);
    const [call] = bench.parallels.calls.filter(({ method }) => method === "removeCachedImage");
    assert.deepEqual([call?.target, call?.detail], ["MACOS", "v1"]);
  });

  it("of one that is not there is success, without a call that could remove more", async () => {
    assert.equal((await bench.run(purgeOf("MACOS", "v3"))).state, STATE_SUCCEEDED);
    assert.deepEqual([removals(), left().length], [0, 3]);
  });

  it("that comes a second time under another id does nothing more", async () => {
    await bench.run(command);
    assert.equal((await bench.run({ ...command, id: "again" })).state, STATE_SUCCEEDED);
    assert.equal(removals(), 1);
  });

  it("has succeeded when the service answers with an error and the image is gone", async () => {
    bench.parallels.interfere = ({ method }) => {
      if (method !== "removeCachedImage") return;
      bench.parallels.images = [];
      throw new ParallelsError("timed-out", "no answer");
    };
    assert.equal((await bench.run(command)).state, STATE_SUCCEEDED);
  });

  it("asks again when no answer comes to what is there", async () => {
    let lost = 0;
    bench.parallels.interfere = ({ method }) => {
      if (method !== "listCachedImages" || lost === 2) return;
      lost += 1;
      throw new ParallelsError("timed-out", "no answer");
    };
    assert.equal((await bench.run(command)).state, STATE_SUCCEEDED);
    assert.deepEqual([lost, removals()], [2, 1]);
  });

  it("fails, and may be tried again, when the service refuses it and the image is there", async () => {
    bench.parallels.interfere = failing("failed", ({ method }) => method === "removeCachedImage");
    const end = await bench.run(command);
    assert.deepEqual([end.state, end.failure?.reason, end.failure?.retryable], [STATE_FAILED, "ParallelsFailed", true]);
  });

  it("fails when the service accepts it and does not do it", async () => {
    bench.parallels.keepsImages = true;
    const end = await bench.run(command);
    assert.deepEqual([end.state, end.failure?.reason, end.failure?.retryable], [STATE_FAILED, "StillCached", true]);
  });

  it("waits for a service that does not answer", async () => {
    bench.parallels.interfere = failing("unreachable", ({ method }) => method === "removeCachedImage", 3);
    assert.equal((await bench.run(command)).state, STATE_SUCCEEDED);
    assert.deepEqual(left(), ["MACOS v2", "LINUX v1"]);
  });

  it("is done by the next run of an agent that was killed in the middle", async () => {
    const journal = createVolatileJournal();
    const earlier = new CommandBench({ journal, parallels: bench.parallels, clock: bench.clock });
    bench.parallels.interfere = ({ method }, signal) => (method === "removeCachedImage" ? hang(signal) : undefined);
    earlier.dispatcher.handle(command);
    await bench.clock.advanceUntil(() => removals() === 1, 10_000);
    await earlier.close();
    bench.parallels.interfere = () => undefined;
    const next = new CommandBench({ journal, parallels: bench.parallels, clock: bench.clock });
    next.dispatcher.resume();
    assert.equal((await next.finish(command)).state, STATE_SUCCEEDED);
    assert.deepEqual(left(), ["MACOS v2", "LINUX v1"]);
    await next.close();
  });
});
