import assert from "node:assert/strict";
import { buildMac, buildPull, macosManifest } from "./builders.ts";

/** A busy hour on one Mac, with its own delays and a failing tenth of all calls; returns all that was told. */
async function liveThrough(seed: number): Promise<readonly string[]> {
  const { mac, clock, told } = buildMac({
    instant: false,
    seed,
    catalog: [macosManifest],
    vms: [{ name: "golden" }, { name: "linux", os: "ubuntu" }],
    failRates: { start: 0.1, clone: 0.1, stop: 0.1, download: 0.1 },
  });
  const times: string[] = [];
  mac.events.subscribe(() => times.push(`${Math.round(clock.monotonicMs())} ${told.at(-1)}`));
  const calls: Promise<unknown>[] = [];
  for (let round = 0; round < 20; round += 1) {
    calls.push(
      mac
        .cloneVm("linux", `copy-${round}-x`)
        .then((vm) => mac.changeState(vm.id, "start"))
        .then((vm) => mac.deleteVm(vm.id, true))
        .catch(() => {}),
      mac.create(buildPull({ name: `pulled-${round}-x` })).catch(() => {}),
    );
    await clock.advance(10_000);
  }
  await clock.advance(3_600_000);
  await Promise.all(calls);
  return times;
}

describe("a simulated Mac on a simulated clock", () => {
  it("lives through the same hour for the same seed, and through another for another", async () => {
    const first = await liveThrough(1);
    assert(first.length > 100);
    assert.deepEqual(await liveThrough(1), first);
    assert.notDeepEqual(await liveThrough(2), first);
  });
});
