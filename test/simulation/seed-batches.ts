/**
 * Many seeds, some at a time, on every core. A thread ends after its batch, and with it all that its runs left behind:
 * processes that crash in a run abandon their streams and signals, and Node keeps signals that somebody listens to for good.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { RunResult } from "./run.ts";

export interface SeedBatch {
  readonly firstSeed: number;
  readonly seedCount: number;
  readonly stepCount: number;
}

export interface Threads {
  /** How many batches run at a time. Without it, one on every core. */
  readonly threadCount?: number;
  /** Called after each batch. */
  readonly onBatchDone?: () => void;
}

/** About 200 MB of what runs leave behind. */
const batchSeedsMax = 400;

/** Runs all seeds and tells each result, in no order. */
export async function runBatches(
  seeds: SeedBatch,
  onResult: (result: RunResult) => void,
  { onBatchDone, threadCount = availableParallelism() }: Threads = {},
): Promise<void> {
  const batches: SeedBatch[] = [];
  const endSeed = seeds.firstSeed + seeds.seedCount;
  for (let firstSeed = seeds.firstSeed; firstSeed < endSeed; firstSeed += batchSeedsMax) {
    batches.push({ ...seeds, firstSeed, seedCount: Math.min(batchSeedsMax, endSeed - firstSeed) });
  }
  const takeBatches = async (): Promise<void> => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      await runBatch(batch, onResult);
      onBatchDone?.();
    }
  };
  await Promise.all(Array.from({ length: threadCount }, takeBatches));
}

function runBatch(batch: SeedBatch, onResult: (result: RunResult) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./seed-worker.ts", import.meta.url), { workerData: batch });
    worker.on("message", onResult);
    worker.once("error", reject);
    worker.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a thread of seeds ended with ${code}`))));
  });
}
