/**
 * Mistakes that were once in the code, each with a seed that breaks a rule as soon as it is put back. The seeds are run with
 * every test. A change of the simulation's own draws moves them: `npm run sim -- --known` puts each mistake back, and looks
 * for another seed where the one that stands here shows it no more.
 */
import type { Mistake } from "./mistake-search.ts";

export interface KnownSeed extends Mistake {
  readonly seed: number;
}

/** Each shows its mistake within so many steps, or while everything settles after them. */
export const knownSeedSteps = 2_000;

export const knownSeeds: readonly KnownSeed[] = [
  {
    name: "a clone goes on after its create was withdrawn, and stands there when the delete has ended",
    seed: 12,
    edits: [
      {
        file: "agent/commands/create-by-clone.ts",
        find: "parallels.cloneVm(sourceVm.id, command.hostVmName, stopping)",
        replace: "parallels.cloneVm(sourceVm.id, command.hostVmName, signal)",
      },
      {
        file: "agent/commands/create-by-clone.ts",
        find: "await waitForClone({ ...context, signal: context.stopping });",
        replace: "await waitForClone(context);",
      },
    ],
  },
  {
    name: "an image is pulled on after its create was withdrawn, and becomes a VM that nobody owns",
    seed: 6,
    edits: [
      {
        file: "agent/commands/create-from-catalog.ts",
        find: "if (context.signal.aborted && !context.stopping.aborted) {",
        replace: "if (context.stopping.aborted) {",
      },
    ],
  },
  {
    name: "a clone of which no answer came in time is not waited for once its create was withdrawn",
    seed: 7395,
    edits: [
      {
        file: "agent/commands/retry.ts",
        find: "if (isGivenUp) throw signal.reason;",
        replace: "if (isGivenUp || signal.aborted) throw signal.reason;",
      },
    ],
  },
  {
    name: "a pull is no longer waited for when the answer to one question after it is lost",
    seed: 5938,
    edits: [
      {
        file: "agent/commands/retry.ts",
        find: 'kind === "unreachable" || kind === "timed-out"',
        replace: 'kind === "unreachable"',
      },
    ],
  },
  {
    name: "a paused VM cannot be deleted, since its power cannot be cut",
    seed: 8,
    edits: [
      {
        file: "agent/commands/power.ts",
        find: `        // Parallels Desktop does not even cut the power of a paused VM.
        return { kind: "act", verb: "resume" };`,
        replace: `return force || askedAtMs !== undefined ? cutPower : { kind: "act", verb: "resume" };`,
      },
    ],
  },
  {
    name: "an end is told that a full disk has not taken, and the command is done again after a restart",
    seed: 166,
    edits: [
      {
        file: "agent/commands/dispatcher.ts",
        find: "await orAborted(memory.recordEnd(update, onDelayed), this.#stopping.signal);",
        replace: "memory.recordEnd(update, onDelayed).catch(() => undefined);",
      },
    ],
  },
  {
    name: "a command that was written before a renewal is sent after it, and takes it back",
    seed: 516,
    edits: [
      {
        file: "server/sessions/dispatch.ts",
        find: "this.renewed.set(keyOf(session, after.command.id), after);",
        replace: "",
      },
    ],
  },
  {
    name: "a Hello that was held up is believed, and the host's newer session ends",
    seed: 164,
    edits: [
      {
        file: "server/apply/host-report.ts",
        find: 'if (isOutdated(event.dial, known?.dial)) return "outdated";',
        replace: "void isOutdated;",
      },
    ],
  },
];
