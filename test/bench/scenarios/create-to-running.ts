import { isRunning } from "../load/vm-watch.ts";
import { type Repetition, repeatLatency } from "../runs.ts";
import type { Scenario } from "../scenario.ts";
import { timeCreate } from "./idle-create.ts";

const full: Repetition = { runs: 5, samples: 200, warmUp: 200 };
const short: Repetition = { runs: 1, samples: 5, warmUp: 1 };

/** From the client's call to the moment when the client has seen that the VM is RUNNING: two commands, each done at once. */
export const createToRunning: Scenario = {
  name: "create-to-running",
  title: "create to RUNNING, 500 hosts, instant hypervisor",
  bars: { p50_ms: 15, max_ms: 100 },
  async measure({ isShort, openPool }) {
    const pool = await openPool({ hosts: isShort ? 5 : 500 });
    return await repeatLatency(pool, isShort ? short : full, () => timeCreate(pool, isRunning));
  },
};
