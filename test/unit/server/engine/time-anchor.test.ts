import assert from "node:assert/strict";
import { Engine } from "../../../../server/engine/engine.ts";
import { MemoryDisk, MemoryStore } from "../../../../server/storage/memory-store.ts";
import { silentLogger } from "../../../../shared/log.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { templateCreate } from "../../../support/pool/specs.ts";

describe("the engine's time", () => {
  const disk = new MemoryDisk();
  const clock = new FakeClock(1_000_000);

  async function open(bootId: string): Promise<Engine> {
    const store = new MemoryStore(disk);
    return Engine.open({ store, clock, boot: { bootId, uptimeMs: () => clock.monotonicMs() }, log: silentLogger });
  }

  it("goes on after a restart of the server, whoever has set the machine's clock meanwhile", async () => {
    const first = await open("boot-1");
    await first.submit(templateCreate("linux"));
    const beforeMs = first.nowMs();
    await first.close();
    clock.advance(30_000);
    clock.setWall(9_000_000_000);
    const second = await open("boot-1");
    assert.equal(second.nowMs(), beforeMs + 30_000);
    await second.submit(templateCreate("other"));
    await second.close();
    clock.advance(1_000);
    clock.setWall(5);
    const third = await open("boot-1");
    assert.equal(third.nowMs(), beforeMs + 31_000);
    await third.close();
    clock.setWall(2_000_000_000);
    const afterBoot = await open("boot-2");
    assert.equal(afterBoot.nowMs(), 2_000_000_000);
    await afterBoot.close();
  });

  it("is stored with the first change of a run, and not with every one", async () => {
    const engine = await open("boot-3");
    const anchor = (): string | undefined => disk.contents().entries.find(({ key }) => key === "meta/time")?.value;
    const before = anchor();
    await engine.submit(templateCreate("a"));
    const after = anchor();
    assert.notEqual(after, before);
    clock.advance(5_000);
    await engine.submit(templateCreate("b"));
    assert.equal(anchor(), after);
    await engine.close();
  });
});
