import { required } from "../../../shared/assert.ts";
import { forEachConcurrently } from "../concurrently.ts";
import type { MadeVm, PoolUnderLoad, TemplateName } from "../load/pool-under-load.ts";
import { isPending, isPlaced, isRunning } from "../load/vm-watch.ts";
import { type Repetition, repeatLatency } from "../runs.ts";
import type { Scenario } from "../scenario.ts";

const full: Repetition = { runs: 5, samples: 100, warmUp: 100 };
const short: Repetition = { runs: 1, samples: 5, warmUp: 1 };

/** From the agent's word that a VM is gone to the moment when a client has seen that the waiting VM has its place. */
export const slotReuse: Scenario = {
  name: "slot-reuse",
  title: "a slot frees, the waiting VM is placed; 500 full hosts",
  bars: { p50_ms: 3, max_ms: 25 },
  async measure({ isShort, openPool }) {
    const hosts = isShort ? 5 : 500;
    const pool = await openPool({ hosts });
    const running = await makeRunning(pool, "macos", hosts * 2);
    return await repeatLatency(pool, isShort ? short : full, async () => {
      const id = pool.newName();
      const pending = pool.watch.until(`vms/${id}`, isPending);
      const waiting = await pool.create(id, "macos");
      await pending;
      running.push(waiting);
      const { elapsedMs } = await timeReuse(pool, required(running.shift(), "running VM"));
      return elapsedMs;
    });
  },
};

/** Makes so many VMs and returns when all of them run. */
export async function makeRunning(pool: PoolUnderLoad, template: TemplateName, count: number): Promise<MadeVm[]> {
  const made: MadeVm[] = [];
  const ids = Array.from({ length: count }, () => pool.newName());
  await forEachConcurrently(ids, 64, async (id, worker) => {
    made.push(await pool.create(id, template, worker));
  });
  await Promise.all(made.map(({ name }) => pool.watch.until(name, isRunning)));
  return made;
}

/** What became of a slot: how long after the end of its old VM a client saw the new one in its place, and which that is. */
export interface Reuse {
  readonly elapsedMs: number;
  readonly name: string;
}

/** Deletes a VM of a full pool in which others wait, and returns when the one that takes its place runs. */
export async function timeReuse(pool: PoolUnderLoad, old: MadeVm): Promise<Reuse> {
  const freed = pool.fleet.untilDeleted(old.uid);
  const placed = pool.watch.untilNext(isPlaced);
  await pool.delete(old.name);
  const [freedMs, { name, atMs }] = await Promise.all([freed, placed]);
  await pool.watch.until(name, isRunning);
  return { elapsedMs: atMs - freedMs, name };
}
