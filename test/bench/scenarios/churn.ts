import { VmStatus_State as State } from "../../../shared/gen/es/meridian/v1/vm_pb.ts";
import { VmService } from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { PoolUnderLoad } from "../load/pool-under-load.ts";
import type { RunResult } from "../metrics.ts";
import { momentMs, pause } from "../moment.ts";
import { withUsage } from "../runs.ts";
import type { Scenario } from "../scenario.ts";

const clients = 256;
const connections = 8;
const placedStates = [State.PLACED, State.CREATING, State.STOPPED, State.STARTING, State.RUNNING];

/** Clients that each make a VM, wait until it has a host, delete it and wait until it is gone: four calls a cycle. */
export const churn256: Scenario = {
  name: "churn-256",
  title: "create, placed, delete, gone; 256 clients, 500 hosts",
  bars: { per_second: 1500 },
  async measure({ isShort, openPool }) {
    const pool = await openPool({ hosts: isShort ? 10 : 500, clients: connections });
    // Its clients wait by calls of their own, as builds do.
    pool.watch.close();
    const churn = new Churn(pool);
    const workers = Array.from({ length: isShort ? 8 : clients }, (_, worker) => churn.work(worker));
    await Promise.race([Promise.all(workers), pause(isShort ? 50 : 5_000)]);
    const results: RunResult[] = [];
    for (let run = 0; run < (isShort ? 1 : 5); run += 1) {
      results.push(await Promise.race([measureChurn(pool, churn, isShort ? 100 : 4_000), failureOf(workers)]));
    }
    churn.stop();
    await Promise.all(workers);
    return results;
  },
};

class Churn {
  cycles = 0;
  private isOver = false;
  private readonly pool: PoolUnderLoad;

  constructor(pool: PoolUnderLoad) {
    this.pool = pool;
  }

  async work(worker: number): Promise<void> {
    const client = this.pool.client(worker);
    while (!this.isOver) {
      const { name } = await this.pool.create(this.pool.newName(), "linux", worker);
      await client.call(VmService.method.waitVm, { name, states: placedStates });
      await this.pool.delete(name, worker);
      await client.call(VmService.method.waitVm, { name, states: [State.DELETED] });
      this.cycles += 1;
    }
  }

  stop(): void {
    this.isOver = true;
  }
}

async function measureChurn(pool: PoolUnderLoad, churn: Churn, durationMs: number): Promise<RunResult> {
  const startMs = momentMs();
  const cyclesBefore = churn.cycles;
  const usage = await withUsage(pool, () => pause(durationMs));
  return { per_second: (1000 * (churn.cycles - cyclesBefore)) / (momentMs() - startMs), ...usage };
}

/** Never resolves; rejects as soon as one of the clients fails. */
function failureOf(workers: readonly Promise<void>[]): Promise<never> {
  return new Promise((_, reject) => {
    for (const worker of workers) worker.catch(reject);
  });
}
