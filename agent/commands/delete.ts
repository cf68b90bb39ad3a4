/**
 * Remove a VM and its files. A VM that is not there is success, and so it is only when a fresh list no longer shows it: the
 * server gives its share of the Mac away on this word.
 */
import type { DeleteAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { ParallelsError } from "../parallels/api.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { bringTo, planStopped } from "./power.ts";
import { untilReachable } from "./retry.ts";
import { findVm } from "./vm-lookup.ts";

/** A person may start the VM between our stop and our delete; more than a few times is somebody working against us. */
const attemptsMax = 4;

export async function deleteVm(context: CommandContext, action: DeleteAction): Promise<CommandOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    if ((await findVm(context)) === undefined) return {};
    try {
      if (await removeOnce(context, action.force)) return {};
      if (attempt >= attemptsMax) throw stillThere();
    } catch (error) {
      context.signal.throwIfAborted();
      if (attempt >= attemptsMax || !mayPass(error)) throw error;
    }
  }
}

/** Stops and removes; whether a fresh list then shows that it is gone. */
async function removeOnce(context: CommandContext, force: boolean): Promise<boolean> {
  const { parallels, signal } = context;
  const vm = await bringTo(context, planStopped(context, force));
  context.progress({ step: "delete" });
  try {
    await untilReachable(context, () => parallels.deleteVm(vm.id, { force, signal }));
  } catch (error) {
    // It may have been done all the same.
    if ((await findVm(context)) === undefined) return true;
    throw error;
  }
  return waitUntilGone(context);
}

async function waitUntilGone(context: CommandContext): Promise<boolean> {
  const { clock, hostVms, signal, tuning } = context;
  const giveUpAtMs = clock.monotonicMs() + context.silenceLimitMs;
  for (;;) {
    const since = hostVms.changeCount;
    if ((await findVm(context)) === undefined) return true;
    if (clock.monotonicMs() >= giveUpAtMs) return false;
    await hostVms.waitForChange(since, tuning.lookPeriodMs, signal);
  }
}

/** Whether trying again may help: the VM vanished under our hands, was started meanwhile, or nobody can tell. */
function mayPass(error: unknown): boolean {
  if (error instanceof CommandFailure) return error.kind.reason === "VmNotFound";
  return (
    error instanceof ParallelsError &&
    (error.kind === "vm-not-found" || error.kind === "state-not-allowed" || error.kind === "timed-out")
  );
}

function stillThere(): CommandFailure {
  return new CommandFailure(
    { reason: "StillThere", suspect: "host", isRetryable: true },
    "Parallels Desktop accepted the removal, but still lists the VM.",
  );
}
