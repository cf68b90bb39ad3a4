import { forEachConcurrently } from "../concurrently.ts";
import type { MadeVm, PoolUnderLoad } from "../load/pool-under-load.ts";
import { isPlaced, isRunning } from "../load/vm-watch.ts";
import type { RunResult } from "../metrics.ts";
import { momentMs } from "../moment.ts";
import { withUsageEach } from "../runs.ts";
import type { Scenario } from "../scenario.ts";

/** Client calls under way at once, over so many connections. */
const concurrency = 64;
const connections = 4;
const runs = 5;

export const burst500 = burst(500);
export const burst2000 = burst(2000);

/** Twice as many VMs as hosts, which fill all macOS slots: from the first call until the last VM is seen to be placed; CPU until all run. */
function burst(fullHosts: number): Scenario {
  return {
    name: `burst-${fullHosts}`,
    title: `${(fullHosts * 2).toLocaleString("en")} VMs at once on ${fullHosts.toLocaleString("en")} hosts`,
    bars: { per_second: 5000 },
    async measure({ isShort, openPool }) {
      const hosts = isShort ? 10 : fullHosts;
      const pool = await openPool({ hosts, clients: connections });
      const results: RunResult[] = [];
      // The first one warms up.
      for (let run = 0; run <= (isShort ? 0 : runs); run += 1) {
        const result = await runBurst(pool, hosts * 2);
        if (isShort || run > 0) results.push(result);
      }
      return results;
    },
  };
}

async function runBurst(pool: PoolUnderLoad, count: number): Promise<RunResult> {
  const ids = Array.from({ length: count }, () => pool.newName());
  const made: MadeVm[] = [];
  let perSecond = 0;
  const usage = await withUsageEach(pool, count, async () => {
    const placed = ids.map((id) => pool.watch.until(`vms/${id}`, isPlaced));
    const startMs = momentMs();
    await forEachConcurrently(ids, concurrency, async (id, worker) => {
      made.push(await pool.create(id, "macos", worker));
    });
    const endMs = Math.max(...(await Promise.all(placed)));
    perSecond = (1000 * count) / (endMs - startMs);
    await Promise.all(made.map(({ name }) => pool.watch.until(name, isRunning)));
  });
  await pool.deleteAll(made);
  return { per_second: perSecond, ...usage };
}
