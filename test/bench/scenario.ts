/** What a scenario is. */

import type { PoolUnderLoad, PoolUnderLoadOptions } from "./load/pool-under-load.ts";
import type { Metric, RunResult } from "./metrics.ts";

export interface Scenario {
  readonly name: string;
  /** What it measures, for people. */
  readonly title: string;
  /** What it should reach. */
  readonly bars: Partial<Readonly<Record<Metric, number>>>;
  /** Measures and returns each run. */
  readonly measure: (bench: Bench) => Promise<readonly RunResult[]>;
}

/** What a scenario works with. */
export interface Bench {
  /** Whether it is enough to show that the scenario works: few hosts, few samples, one run. */
  readonly isShort: boolean;
  /** Opens a pool on the scratch disk; it is closed after the scenario. */
  readonly openPool: (options: Omit<PoolUnderLoadOptions, "directory" | "profileDir">) => Promise<PoolUnderLoad>;
}
