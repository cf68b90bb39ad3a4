/** Seeds that once broke a rule, each named after the mistake that it found. They are run with every test. */

export interface KnownSeed {
  readonly name: string;
  readonly seed: number;
}

/** Each showed its mistake within so many steps. */
export const knownSeedSteps = 2_000;

export const knownSeeds: readonly KnownSeed[] = [
  { name: "a clone goes on after its create was withdrawn, and stands there when the delete has ended", seed: 4 },
  { name: "an image is pulled on after its create was withdrawn, and becomes a VM that nobody owns", seed: 3 },
  { name: "a paused VM cannot be deleted, since its power cannot be cut", seed: 5 },
  { name: "an agent that is started again finds a create of its earlier run withdrawn", seed: 8 },
  { name: "the disk fails while the server starts", seed: 20 },
  { name: "a VM that was removed is told of once more", seed: 79 },
];
