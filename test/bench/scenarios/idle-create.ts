import type { PoolUnderLoad } from "../load/pool-under-load.ts";
import { isGone, isPlaced, type StateTest } from "../load/vm-watch.ts";
import { momentMs } from "../moment.ts";
import { type Repetition, repeatLatency } from "../runs.ts";
import type { Scenario } from "../scenario.ts";

const full: Repetition = { runs: 5, samples: 300, warmUp: 300 };
const short: Repetition = { runs: 1, samples: 5, warmUp: 1 };

/** From the client's call to the moment when the client has seen through its watch that the VM has a host. */
export const idleCreate: Scenario = {
  name: "idle-create",
  title: "create to placed, 500 hosts, one VM at a time",
  bars: { p50_ms: 1.5, p99_ms: 5 },
  async measure({ isShort, openPool }) {
    const pool = await openPool({ hosts: isShort ? 5 : 500 });
    return await repeatLatency(pool, isShort ? short : full, () => timeCreate(pool, isPlaced));
  },
};

/** Makes a VM, and removes it when it has been seen in such a state; returns how long that took from the call on. */
export async function timeCreate(pool: PoolUnderLoad, test: StateTest): Promise<number> {
  const id = pool.newName();
  const name = `vms/${id}`;
  const seen = pool.watch.until(name, test);
  const startMs = momentMs();
  const [seenMs] = await Promise.all([seen, pool.create(id, "macos")]);
  const gone = pool.watch.until(name, isGone);
  await pool.delete(name);
  await gone;
  return seenMs - startMs;
}
