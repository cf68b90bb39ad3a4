/**
 * Looks for a seed in which a mistake breaks a rule. Seeds that break one without it prove nothing and are left out. Each
 * mistake has threads of its own; they end with what they found.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Edit } from "./edit.ts";
import { runSeed } from "./run.ts";

/** Something that is wrong: a mutant that is put around the parts, or the code itself. */
export interface Mistake {
  readonly name: string;
  /** The name of a mutant of `mutants.ts`. */
  readonly mutant?: string;
  readonly edits: readonly Edit[];
}

export interface Seeds {
  readonly firstSeed: number;
  readonly seedCount: number;
  readonly stepCount: number;
}

export type MistakeSearch = Omit<Mistake, "name"> & Seeds;

/** A rule that broke. */
export interface Sighting {
  readonly seed: number;
  readonly step: number;
  readonly rule: string;
}

export class MistakeFinder {
  readonly #stepCount: number;
  readonly #sound = new Map<number, boolean>();

  constructor(stepCount: number) {
    this.#stepCount = stepCount;
  }

  /** The first seed in which the mistake shows, or nothing. */
  async find(
    { edits, mutant }: Mistake,
    { firstSeed, seedCount }: Omit<Seeds, "stepCount">,
  ): Promise<Sighting | undefined> {
    const endSeed = firstSeed + seedCount;
    for (let from = firstSeed; from < endSeed; ) {
      const sighting = await search({
        edits,
        ...(mutant === undefined ? {} : { mutant }),
        firstSeed: from,
        seedCount: endSeed - from,
        stepCount: this.#stepCount,
      });
      if (sighting === undefined || (await this.#isSound(sighting.seed))) return sighting;
      from = sighting.seed + 1;
    }
    return undefined;
  }

  async #isSound(seed: number): Promise<boolean> {
    const isSound = this.#sound.get(seed) ?? (await runSeed({ seed, stepCount: this.#stepCount })).broken === undefined;
    this.#sound.set(seed, isSound);
    return isSound;
  }
}

/** Does the work for each, some at a time, on every core. */
export async function forEachAtOnce<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const takeNext = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, takeNext));
}

function search(one: MistakeSearch): Promise<Sighting | undefined> {
  return new Promise((resolve, reject) => {
    let sighting: Sighting | undefined;
    const worker = new Worker(new URL("./mistake-worker.ts", import.meta.url), { workerData: one });
    worker.on("message", (message: Sighting | undefined) => {
      sighting = message;
    });
    worker.once("error", reject);
    worker.once("exit", (code) => (code === 0 ? resolve(sighting) : reject(new Error(`a search ended with ${code}`))));
  });
}
