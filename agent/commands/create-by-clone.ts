/**
 * Making a VM by cloning one that stands on this Mac. A copy whose call was cut off appears by itself when it is finished, but
 * perhaps with its source's MAC address: it is removed, and another is made.
 */
import { ParallelsError } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";
import { deleteVm } from "./delete.ts";
import { CommandFailure } from "./failure.ts";
import { isOutcomeUnknown, untilReachable } from "./retry.ts";
import { SilenceWatch } from "./silence.ts";
import { findVm, listVms, pickByReference } from "./vm-lookup.ts";

/** Begun when the copy is there and has an address of its own. */
export const copiedStep = "copied";

/** Copies that are made when calls are cut off again and again; more is a Mac that is too slow for its service. */
const copiesMax = 3;

/** @param source the id or the name of a stopped VM. */
export async function cloneFromHostVm(context: CommandContext, source: string): Promise<void> {
  for (let copies = 1; ; copies += 1) {
    try {
      await cloneOnce(context, source);
      break;
    } catch (error) {
      context.stopping.throwIfAborted();
      if (copies >= copiesMax || !mayBeDone(error)) throw error;
      await waitForClone({ ...context, signal: context.stopping });
      context.signal.throwIfAborted();
      await deleteVm(context, { force: true });
    }
  }
  await context.begin(copiedStep);
}

async function cloneOnce(context: CommandContext, source: string): Promise<void> {
  const { command, parallels, signal, stopping } = context;
  const sourceVm = pickByReference(await listVms(context), source);
  if (sourceVm === undefined) {
    throw new CommandFailure(
      { reason: "SourceVmMissing", suspect: "template", isRetryable: false },
      `There is no VM "${source}" on this Mac to clone from.`,
    );
  }
  if (sourceVm.state !== "stopped") {
    throw new CommandFailure(
      { reason: "SourceVmNotStopped", suspect: "host", isRetryable: true },
      `The VM "${source}" to clone from is "${sourceVm.state}": stop it on this Mac.`,
    );
  }
  context.progress({ step: "clone" });
  // Nothing takes the copying back: a command that is withdrawn meanwhile ends only when there is what it has to remove.
  await untilReachable(context, () => parallels.cloneVm(sourceVm.id, command.hostVmName, stopping));
  signal.throwIfAborted();
}

/** Nobody answered in time, but the copying goes on: the clone appears in the list when it is done. */
async function waitForClone(context: CommandContext): Promise<void> {
  const silence = new SilenceWatch(context, "host");
  for (;;) {
    const since = context.hostVms.changeCount;
    if ((await findVm(context)) !== undefined) return;
    silence.check("The clone");
    await context.hostVms.waitForChange(since, context.tuning.lookPeriodMs, context.signal);
  }
}

/** An earlier call whose answer got lost may have made it, too: then the name is taken by what we want. */
function mayBeDone(error: unknown): boolean {
  return isOutcomeUnknown(error) || (error instanceof ParallelsError && error.kind === "name-taken");
}
