/**
 * Bringing a VM to a power state: look, take the one step that the state allows, look again. It starts from what is there and
 * not from what an earlier step should have done, so a person who presses a button meanwhile, a call that timed out and did
 * its work, and an agent that was restarted half-way all come to the same end.
 */
import { startDeadline } from "../deadline.ts";
import { ParallelsError, type ParallelsVm, type StateVerb } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { untilReachable } from "./retry.ts";
import { SilenceWatch } from "./silence.ts";
import { getVm } from "./vm-lookup.ts";

export type PowerStep =
  | { readonly kind: "done" }
  /** The VM is on its way: look again when something changes. */
  | { readonly kind: "wait" }
  | { readonly kind: "act"; readonly verb: StateVerb; readonly force?: boolean; readonly limitMs?: number }
  | { readonly kind: "fail"; readonly failure: CommandFailure };

/** The next step from a state, in the words of Parallels Desktop. Asked anew after each look. */
export type PowerPlan = (state: string) => PowerStep;

/** More steps than any way from one state to another has; beyond it something works against us. */
const stepsMax = 8;

/** Follows the plan until it is done; the VM as a fresh list then shows it. */
export async function bringTo(context: CommandContext, plan: PowerPlan): Promise<ParallelsVm> {
  const silence = new SilenceWatch(context, "host");
  let since = context.hostVms.changeCount;
  let vm = await getVm(context);
  for (let steps = 0; ; ) {
    const step = plan(vm.state);
    const before = vm.state;
    switch (step.kind) {
      case "done":
        return vm;
      case "fail":
        throw step.failure;
      case "wait":
        silence.check(`The VM, which is "${before}",`);
        await context.hostVms.waitForChange(since, context.tuning.lookPeriodMs, context.signal);
        since = context.hostVms.changeCount;
        vm = await getVm(context);
        break;
      case "act":
        if (++steps > stepsMax) throw unsteady(vm);
        context.progress({ step: step.verb });
        await act(context, vm, step);
        since = context.hostVms.changeCount;
        vm = await waitUntilLeft(context, vm);
        break;
    }
    if (vm.state !== before) silence.touch();
  }
}

/** Running; from every state that leads there. */
export const planRunning: PowerPlan = (state) => {
  switch (state) {
    case "running":
      return { kind: "done" };
    case "stopped":
      return { kind: "act", verb: "start" };
    case "suspended":
    case "paused":
      return { kind: "act", verb: "resume" };
    case "invalid":
      return { kind: "fail", failure: invalidVm() };
    default:
      return { kind: "wait" };
  }
};

/**
 * Stopped. Asking the guest needs a guest that runs, so a paused or suspended one is resumed first; a guest that does not shut
 * down in its time has its power cut.
 *
 * @param force cut the power at once.
 */
export function planStopped(context: CommandContext, force: boolean): PowerPlan {
  const { clock, tuning } = context;
  const cutPower: PowerStep = { kind: "act", verb: "stop", force: true };
  let askedAtMs: number | undefined;
  return (state) => {
    switch (state) {
      case "stopped":
      case "invalid":
        return { kind: "done" };
      case "running":
        if (force || askedAtMs !== undefined) return cutPower;
        askedAtMs = clock.monotonicMs();
        return { kind: "act", verb: "stop", limitMs: tuning.shutdownLimitMs };
      case "paused":
        // Parallels Desktop does not even cut the power of a paused VM.
        return { kind: "act", verb: "resume" };
      case "suspended":
        return force || askedAtMs !== undefined ? cutPower : { kind: "act", verb: "resume" };
      default: {
        const isHanging = askedAtMs !== undefined && clock.monotonicMs() - askedAtMs >= tuning.shutdownLimitMs;
        return isHanging ? cutPower : { kind: "wait" };
      }
    }
  };
}

/** Suspended or paused, which only a running VM can become; `other` is resumed first. */
export function planFrozen(goal: "suspended" | "paused", verb: "suspend" | "pause"): PowerPlan {
  const other = goal === "suspended" ? "paused" : "suspended";
  return (state) => {
    switch (state) {
      case goal:
        return { kind: "done" };
      case "running":
        return { kind: "act", verb };
      case other:
        return { kind: "act", verb: "resume" };
      case "stopped":
        return { kind: "fail", failure: notRunning(state) };
      case "invalid":
        return { kind: "fail", failure: invalidVm() };
      default:
        return { kind: "wait" };
    }
  };
}

export function notRunning(state: string): CommandFailure {
  return new CommandFailure(
    { reason: "NotRunning", suspect: "request", isRetryable: false },
    `The VM is "${state}", and this needs a running one: start it first.`,
  );
}

function invalidVm(): CommandFailure {
  return new CommandFailure(
    { reason: "VmInvalid", suspect: "host", isRetryable: false },
    "Parallels Desktop calls the VM invalid (its files are damaged or missing): delete it and make a new one.",
  );
}

function unsteady(vm: ParallelsVm): CommandFailure {
  return new CommandFailure(
    { reason: "StateUnsteady", suspect: "host", isRetryable: true },
    `The VM does not stay in the state that it is brought to; it is "${vm.state}" again.`,
  );
}

/**
 * Does one step. A call that ran out of time may have worked, and one that was refused may have been overtaken by a person or
 * by the guest: then the next look decides. It fails only if the VM is still as it was.
 */
async function act(
  context: CommandContext,
  vm: ParallelsVm,
  step: Extract<PowerStep, { readonly kind: "act" }>,
): Promise<void> {
  const deadline = step.limitMs === undefined ? undefined : startDeadline(context.clock, step.limitMs, context.signal);
  const signal = deadline?.signal ?? context.signal;
  try {
    await untilReachable(context, () =>
      context.parallels.changeState(vm.id, step.verb, { signal, ...(step.force === true ? { force: true } : {}) }),
    );
  } catch (error) {
    context.signal.throwIfAborted();
    if (deadline?.signal.aborted === true) return;
    if (error instanceof ParallelsError && error.kind === "timed-out") return;
    const now = await getVm(context);
    if (now.state === vm.state) throw error;
  } finally {
    deadline?.release();
  }
}

/** Lists lag behind a verb that has returned. The VM once a list shows it in another state, or when the lag has had its time. */
async function waitUntilLeft(context: CommandContext, vm: ParallelsVm): Promise<ParallelsVm> {
  const giveUpAtMs = context.clock.monotonicMs() + context.tuning.listLagMs;
  for (;;) {
    const since = context.hostVms.changeCount;
    const now = await getVm(context);
    if (now.state !== vm.state || context.clock.monotonicMs() >= giveUpAtMs) return now;
    await context.hostVms.waitForChange(since, context.tuning.lookPeriodMs, context.signal);
  }
}
