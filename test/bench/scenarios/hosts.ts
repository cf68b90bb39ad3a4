import type { RunResult } from "../metrics.ts";
import { pause } from "../moment.ts";
import { withUsage } from "../runs.ts";
import type { Scenario } from "../scenario.ts";

/** The server asks agents of so large a pool for a longer period; these keep the one of a small pool. */
const heartbeatPeriodMs = 10_000;

/** What it costs to hear so many hosts, while nothing else happens. */
export const hosts10k: Scenario = {
  name: "hosts-10k",
  title: "10,000 hosts connected, a heartbeat each 10 s",
  bars: { cpu_percent: 30, rss_mib: 1024 },
  async measure({ isShort, openPool }) {
    const pool = await openPool({ hosts: isShort ? 50 : 10_000, heartbeatPeriodMs });
    // Each agent sends its first heartbeat within the first period.
    await pause(isShort ? 0 : heartbeatPeriodMs);
    const results: RunResult[] = [];
    for (let run = 0; run < (isShort ? 1 : 3); run += 1) {
      results.push(await withUsage(pool, () => pause(isShort ? 100 : 20_000)));
    }
    return results;
  },
};
