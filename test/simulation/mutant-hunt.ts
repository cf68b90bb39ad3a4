/**
 * Shows that the simulation finds mistakes: each mutant runs seed after seed until a rule breaks. Seeds that break a rule
 * without any mutant prove nothing and are left out.
 */
import { mutants } from "./mutants.ts";
import { runSeed } from "./run.ts";

export interface HuntOptions {
  readonly stepCount: number;
  readonly firstSeed: number;
  /** A mutant that gets through so many seeds has not been found. */
  readonly seedsMax: number;
}

/** Whether every mutant was found. One line each goes to `tell`. */
export async function findMutants(options: HuntOptions, tell: (line: string) => void): Promise<boolean> {
  const { firstSeed, seedsMax, stepCount } = options;
  const sound = new Map<number, boolean>();
  const isSound = async (seed: number): Promise<boolean> => {
    const known = sound.get(seed) ?? (await runSeed({ seed, stepCount })).broken === undefined;
    sound.set(seed, known);
    return known;
  };
  let foundCount = 0;
  for (const { name, make } of mutants) {
    let finding: string | undefined;
    for (let seed = firstSeed; seed < firstSeed + seedsMax && finding === undefined; seed += 1) {
      const { broken } = await runSeed({ seed, stepCount, mutant: make() });
      if (broken !== undefined && (await isSound(seed))) {
        finding = `seed ${String(seed).padStart(3)}, step ${String(broken.step).padStart(5)}: ${broken.rule}`;
      }
    }
    if (finding !== undefined) foundCount += 1;
    tell(`${name.padEnd(30)} ${finding ?? `NOT FOUND within ${seedsMax} seeds`}`);
  }
  tell(`mutants found: ${foundCount} of ${mutants.length}`);
  return foundCount === mutants.length;
}
