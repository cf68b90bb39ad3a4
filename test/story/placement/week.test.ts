import assert from "node:assert/strict";
import { dayMs, makeDemand } from "../../bench/week/demand.ts";
import { judge } from "../../bench/week/judge.ts";
import { type Outcome, replayWeek } from "../../bench/week/replay.ts";

const macs = 4;

async function replay(seed: number, greed = 1): Promise<readonly Outcome[]> {
  return await replayWeek(makeDemand({ seed, macs, days: 1, load: 0.6, greed }), { macs, seed });
}

describe("a replayed day", () => {
  it("serves every build, none before it was asked for, and never more than two macOS guests on a Mac", async () => {
    const jobs = makeDemand({ seed: 1, macs, days: 1, load: 0.6, greed: 1 });
    const outcomes = await replayWeek(jobs, { macs, seed: 1 });
    assert.equal(outcomes.length, jobs.length);
    assert.ok(outcomes.every(({ waitMs }) => waitMs >= 0));
    const edges = outcomes
      .filter(({ job }) => job.template === "macos")
      .flatMap(({ host, placedMs, freedMs }) => [
        { host, atMs: placedMs, change: 1 },
        { host, atMs: freedMs, change: -1 },
      ])
      .sort((a, b) => a.atMs - b.atMs || a.change - b.change);
    const guests = new Map<string, number>();
    for (const { host, change } of edges) {
      const count = (guests.get(host) ?? 0) + change;
      guests.set(host, count);
      assert.ok(count <= 2, `${count} macOS guests on ${host}`);
    }
    const report = judge(outcomes, { macs, days: 1 });
    assert.ok(report.use > 0.4 && report.use < 1, `${report.use}`);
    assert.ok(report.hours.every(({ share }) => share <= 1.000_001));
  });

  it("is the same for the same seed, and another for another", async () => {
    const [once, again, other] = [await replay(2), await replay(2), await replay(3)];
    assert.deepEqual(again, once);
    assert.notDeepEqual(other.slice(0, 50), once.slice(0, 50));
  });

  it("has its demand within the day, with more by day than by night", () => {
    const jobs = makeDemand({ seed: 4, macs: 40, days: 1, load: 0.6, greed: 1 });
    assert.ok(jobs.every(({ atMs }, index) => atMs >= (jobs[index - 1]?.atMs ?? 0) && atMs < 2 * dayMs));
    const pushes = jobs.filter(({ project }) => project !== "nightly");
    const byDay = pushes.filter(({ atMs }) => atMs > dayMs / 3 && atMs < (dayMs * 5) / 6);
    assert.ok(byDay.length > pushes.length * 0.8);
  });
});
