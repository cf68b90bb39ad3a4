/** Measures one scenario, with pools that are closed whatever becomes of it. */
import { join } from "node:path";
import { PoolUnderLoad, type PoolUnderLoadOptions } from "./load/pool-under-load.ts";
import type { RunResult } from "./metrics.ts";
import type { Scenario } from "./scenario.ts";

export interface MeasureOptions {
  /** Where pools keep their data; each has a folder of its own. */
  readonly directory: string;
  readonly isShort: boolean;
  readonly profileDir?: string | undefined;
  readonly isSecure?: boolean;
}

/** Rejects if an agent breaks: then what becomes of the scenario says nothing. */
export async function measureScenario(
  scenario: Scenario,
  { directory, isShort, profileDir, isSecure }: MeasureOptions,
): Promise<readonly RunResult[]> {
  const pools: PoolUnderLoad[] = [];
  const broken = Promise.withResolvers<never>();
  const openPool = async (options: Omit<PoolUnderLoadOptions, "directory">): Promise<PoolUnderLoad> => {
    const own = join(directory, `${scenario.name}-${pools.length}`);
    const pool = await PoolUnderLoad.open({ ...options, directory: own, profileDir, isSecure });
    pools.push(pool);
    pool.fleet.failed.catch(broken.reject);
    return pool;
  };
  try {
    const measuring = scenario.measure({ isShort, openPool });
    measuring.catch(() => undefined);
    return await Promise.race([measuring, broken.promise]);
  } finally {
    for (const pool of pools) await pool.close();
  }
}
