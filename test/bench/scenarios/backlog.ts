import { required } from "../../../shared/assert.ts";
import { forEachConcurrently } from "../concurrently.ts";
import type { PoolUnderLoad } from "../load/pool-under-load.ts";
import type { RunResult } from "../metrics.ts";
import { pause } from "../moment.ts";
import { latency, withUsage } from "../runs.ts";
import type { Scenario } from "../scenario.ts";
import { makeRunning, timeReuse } from "./slot-reuse.ts";

/** Client calls under way at once, over so many connections, while the queue is filled. */
const concurrency = 256;
const connections = 4;

/** What a long queue costs while nothing happens, and when a slot frees: from the agent's word until a client has seen it. */
export const backlog100k: Scenario = {
  name: "backlog-100k",
  title: "100,000 VMs waiting on 100 full hosts: CPU at rest, slot reuse",
  bars: { cpu_percent: 1, p50_ms: 5 },
  async measure({ isShort, openPool }) {
    const hosts = isShort ? 5 : 100;
    const pool = await openPool({ hosts, clients: connections });
    const running = await makeRunning(pool, "macos", hosts * 2);
    // A watch of what is put into the queue would only slow the filling down.
    pool.watch.close();
    const waiting = await fillQueue(pool, isShort ? 100 : 100_000);
    await pool.watchFromNow();
    const results: RunResult[] = [];
    for (let run = 0; run < (isShort ? 1 : 3); run += 1) {
      // What the filling left behind, such as garbage, is not rest.
      await pause(isShort ? 0 : 2_000);
      const rest = await withUsage(pool, () => pause(isShort ? 100 : 10_000));
      const times: number[] = [];
      for (let at = 0; at < (isShort ? 3 : 50); at += 1) {
        const { elapsedMs, name } = await timeReuse(pool, required(running.shift(), "running VM"));
        running.push({ name, uid: required(waiting.get(name), "uid of the placed VM") });
        times.push(elapsedMs);
      }
      results.push({ ...rest, ...latency(times) });
    }
    return results;
  },
};

/** Makes VMs that wait; returns their uids by their names. */
async function fillQueue(pool: PoolUnderLoad, count: number): Promise<ReadonlyMap<string, string>> {
  const ids = Array.from({ length: count }, () => pool.newName());
  const uids = new Map<string, string>();
  await forEachConcurrently(ids, concurrency, async (id, worker) => {
    const { name, uid } = await pool.create(id, "macos", worker);
    uids.set(name, uid);
  });
  return uids;
}
