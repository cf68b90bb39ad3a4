/**
 * Seeds that break a rule as soon as a mistake that was once in the code is put back, each named after it. They are run with
 * every test. A change of the simulation's own draws moves them; then others have to be looked for.
 */

export interface KnownSeed {
  readonly name: string;
  readonly seed: number;
}

/** Each shows its mistake within so many steps, or while everything settles after them. */
export const knownSeedSteps = 2_000;

export const knownSeeds: readonly KnownSeed[] = [
  { name: "a clone goes on after its create was withdrawn, and stands there when the delete has ended", seed: 3 },
  { name: "an image is pulled on after its create was withdrawn, and becomes a VM that nobody owns", seed: 6 },
  { name: "a paused VM cannot be deleted, since its power cannot be cut", seed: 5 },
  { name: "an end is told that a full disk has not taken, and the command is done again after a restart", seed: 3164 },
];
