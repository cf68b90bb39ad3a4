/** One run of the simulation: so many steps of trouble, then none, and everything has to settle. */
import { type Logger, silentLogger } from "../../shared/log.ts";
import { Clients } from "./clients.ts";
import { type FaultKind, Faults } from "./faults.ts";
import { History } from "./history.ts";
import { Mutant } from "./mutant.ts";
import type { BrokenRule } from "./rules.ts";
import { findUnsettled } from "./settled.ts";
import { World } from "./world.ts";

export interface RunOptions {
  readonly seed: number;
  /** Steps with faults; those in which everything settles come after them. */
  readonly stepCount: number;
  readonly mutant?: Mutant;
  /** Called with everything that happens. */
  readonly onLine?: (line: string) => void;
  readonly log?: Logger;
}

export interface RunResult {
  readonly seed: number;
  readonly stepCount: number;
  readonly settleStepCount: number;
  readonly simulatedMs: number;
  readonly faultCounts: ReadonlyMap<FaultKind, number>;
  readonly callCounts: ReadonlyMap<string, number>;
  readonly lostAnswerCount: number;
  readonly digest: string;
  readonly broken: (BrokenRule & { readonly step: number; readonly lastLines: readonly string[] }) | undefined;
}

/** How long everything may take to settle, in simulated ms: the longest bound of the pool is the making of a VM in silence. */
const settleLimitMs = 90 * 60_000;
const settleLookMs = 20_000;
/** The longest outages and the longest settling together are far below that. */
const extraStepsMax = 500_000;
/** The pace while something takes long: enough happens meanwhile. */
const holdingPace = 20;

export async function runSeed(options: RunOptions): Promise<RunResult> {
  let onThrown: (error: unknown) => void = () => undefined;
  const onUnhandled = (error: unknown): void => onThrown(error);
  process.on("unhandledRejection", onUnhandled);
  try {
    return await runWorld(options, (listener) => {
      onThrown = listener;
    });
  } finally {
    process.off("unhandledRejection", onUnhandled);
  }
}

/** @param onThrown takes who is to be told of promises that nobody waits for and that were rejected. */
async function runWorld(
  options: RunOptions,
  onThrown: (listener: (error: unknown) => void) => void,
): Promise<RunResult> {
  const history = new History();
  history.onLine = options.onLine;
  const mutant = options.mutant ?? new Mutant();
  const world = new World({ seed: options.seed, mutant, log: options.log ?? silentLogger, history });
  const { scheduler, rules } = world;
  scheduler.onThrown = (error) => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    rules.breakRule("no process ends by a mistake", detail);
  };
  onThrown(scheduler.onThrown);
  const clients = new Clients(world);
  const faults = new Faults(world);
  world.onCloneRemoved = (host) => clients.removeHost(host);
  const random = world.random("times");
  let isTrouble = true;
  const again = (act: () => void, meanMs: number): void => {
    const slowness = world.isHolding ? Math.max(world.pace, holdingPace) : world.pace;
    scheduler.after(random.between(0, 2 * meanMs * slowness), () => {
      if (!isTrouble) return;
      act();
      again(act, meanMs);
    });
  };
  let stepCount = 0;
  const stepUntil = async (isDone: () => boolean): Promise<void> => {
    while (rules.broken === undefined && !isDone()) {
      if (!(await scheduler.step())) break;
      stepCount += 1;
      if (stepCount > options.stepCount + extraStepsMax)
        rules.breakRule("a run comes to its end", "it went in circles");
      rules.check();
    }
  };
  const settle = async (what: string): Promise<void> => {
    const giveUpMs = scheduler.nowMs + settleLimitMs;
    for (;;) {
      const lookMs = scheduler.nowMs + settleLookMs;
      let isLookDue = false;
      scheduler.after(settleLookMs, () => {
        isLookDue = true;
      });
      await stepUntil(() => isLookDue || scheduler.nowMs > lookMs);
      const unsettled = rules.broken === undefined ? findUnsettled(world) : undefined;
      if (unsettled === undefined) return;
      if (scheduler.nowMs > giveUpMs) {
        rules.breakRule(what, unsettled);
        return;
      }
    }
  };

  await world.open();
  again(() => clients.act(), 2_000);
  again(() => faults.strike(), 5_000);
  await stepUntil(() => stepCount >= options.stepCount && !world.isHolding);
  isTrouble = false;
  const troubleSteps = stepCount;
  if (rules.broken === undefined) {
    history.note(scheduler.nowMs, "the faults stop");
    faults.stop();
    await quiet(world, stepUntil);
    faults.stop();
    clients.uncordonAll();
    await settle("everything settles once the faults stop");
    if (rules.broken === undefined) {
      history.note(scheduler.nowMs, "everything is deleted");
      clients.deleteAll();
      await settle("everything that is deleted goes");
      if (rules.broken === undefined) checkEmpty(world);
    }
  }
  const { broken } = rules;
  return {
    seed: options.seed,
    stepCount: troubleSteps,
    settleStepCount: stepCount - troubleSteps,
    simulatedMs: scheduler.nowMs,
    faultCounts: faults.counts,
    callCounts: clients.callCounts,
    lostAnswerCount: clients.lostCount,
    digest: history.digest,
    broken: broken === undefined ? undefined : { ...broken, step: stepCount, lastLines: history.lines() },
  };
}

/** What comes back by itself is back: servers and Macs that were down, calls of clients that were under way. */
async function quiet(world: World, stepUntil: (isDone: () => boolean) => Promise<void>): Promise<void> {
  const readyMs = world.scheduler.nowMs + 310_000;
  let isReady = false;
  world.scheduler.after(310_000, () => {
    isReady = true;
  });
  await stepUntil(() => isReady || world.scheduler.nowMs > readyMs);
}

function checkEmpty(world: World): void {
  for (const { id, mac } of world.hosts) {
    const left = mac.vms.filter((vm) => vm.name.startsWith("meridian-"));
    if (left.length > 0) world.rules.breakRule("nothing is left over", `${id} has ${left[0]?.name}`);
  }
}
