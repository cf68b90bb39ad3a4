/** Runs some seeds in a thread of its own and tells each result: see `seed-batches.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import { required } from "../../shared/assert.ts";
import { runSeed } from "./run.ts";
import type { SeedBatch } from "./seed-batches.ts";

// Whoever starts this thread gives it a batch.
const { firstSeed, seedCount, stepCount } = workerData as SeedBatch;
const port = required(parentPort, "port of the thread that started this one");
for (let seed = firstSeed; seed < firstSeed + seedCount; seed += 1)
  port.postMessage(await runSeed({ seed, stepCount }));
