/** Looks for a seed in which a mistake shows, in a thread of its own, since edits of the code hold for a whole thread. */
import { parentPort, workerData } from "node:worker_threads";
import { required } from "../../shared/assert.ts";
import { makeEdits } from "./edit.ts";
import type { MistakeSearch, Sighting } from "./mistake-search.ts";

// Whoever starts this thread gives it a search.
const { edits, firstSeed, mutant, seedCount, stepCount } = workerData as MistakeSearch;
const port = required(parentPort, "port of the thread that started this one");
makeEdits(edits);
// Only what is loaded from here on is edited.
const { runSeed } = await import("./run.ts");
const { mutants } = await import("./mutants.ts");
const make = mutants.find(({ name }) => name === mutant)?.make;

let sighting: Sighting | undefined;
for (let seed = firstSeed; seed < firstSeed + seedCount && sighting === undefined; seed += 1) {
  const { broken } = await runSeed({ seed, stepCount, ...(make === undefined ? {} : { mutant: make() }) });
  if (broken !== undefined) sighting = { seed, step: broken.step, rule: broken.rule };
}
port.postMessage(sighting);
