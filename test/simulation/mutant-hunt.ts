/** Shows that the simulation finds mistakes: each mutant runs seed after seed until a rule breaks. */
import { codeMutants } from "./code-mutants.ts";
import { forEachAtOnce, type Mistake, MistakeFinder, type Seeds } from "./mistake-search.ts";
import { mutants } from "./mutants.ts";

/** All of them. */
export const mistakes: readonly Mistake[] = [
  ...mutants.map(({ name }) => ({ name, mutant: name, edits: [] })),
  ...codeMutants,
];

/**
 * Whether every mistake was found. One line each goes to `tell`.
 * @param seeds a mistake that gets through all of them has not been found.
 */
export async function findMistakes(
  hunted: readonly Mistake[],
  { firstSeed, seedCount, stepCount }: Seeds,
  tell: (line: string) => void,
): Promise<boolean> {
  const finder = new MistakeFinder(stepCount);
  let foundCount = 0;
  await forEachAtOnce(hunted, async (mistake) => {
    const sighting = await finder.find(mistake, { firstSeed, seedCount });
    if (sighting !== undefined) foundCount += 1;
    const found =
      sighting &&
      `seed ${String(sighting.seed).padStart(3)}, step ${String(sighting.step).padStart(5)}: ${sighting.rule}`;
    tell(`${mistake.name.padEnd(32)} ${found ?? `NOT FOUND within ${seedCount} seeds`}`);
  });
  tell(`mutants found: ${foundCount} of ${hunted.length}`);
  return foundCount === hunted.length;
}
