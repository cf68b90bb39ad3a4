/**
 * Make a VM, configured and stopped. A repeated create finds what an earlier one made, by the name that is the VM's alone.
 * Makings from one image take turns, since two at once would both download it, and so do all makings on this Mac, as the
 * server's settings say. What a failed create leaves half made is removed; what cannot be removed the update's VM shows.
 */
import type { CreateAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { startDeadline } from "../deadline.ts";
import type { ParallelsVm } from "../parallels/api.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { applyResources } from "./configure.ts";
import { cloneFromHostVm, copiedStep } from "./create-by-clone.ts";
import { awaitPull, pullFromCatalog } from "./create-from-catalog.ts";
import { deleteVm } from "./delete.ts";
import { AgentStopping, CommandFailure } from "./failure.ts";
import { bringTo, planStopped } from "./power.ts";
import { findVm } from "./vm-lookup.ts";

/** While a create waits for its turn it says so this often, in ms: waiting is not silence. */
const waitingPeriodMs = 10_000;

export async function create(context: CommandContext, action: CreateAction): Promise<CommandOutcome> {
  try {
    const endTurns = await takeTurns(context, action);
    try {
      return { vm: await makeVm(context, action) };
    } finally {
      endTurns();
    }
  } catch (error) {
    if (!(context.signal.reason instanceof AgentStopping)) await removeLeftovers(context);
    throw error;
  }
}

async function makeVm(context: CommandContext, action: CreateAction): Promise<ParallelsVm> {
  const found = await findUsable(context, action);
  if (found === undefined) await makeAnew(context, action);
  else if (action.source?.$case === "catalog") await awaitPull(context);
  const stopped = await bringTo(context, planStopped(context, true));
  return applyResources(context, stopped, action.resources);
}

/** What an earlier try made. Remains that are of no use are removed. */
async function findUsable(context: CommandContext, action: CreateAction): Promise<ParallelsVm | undefined> {
  const vm = await findVm(context);
  if (vm === undefined || (vm.state !== "invalid" && !mayBeHalfCopied(context, action, vm))) return vm;
  await deleteVm(context, { force: true });
  return undefined;
}

/**
 * A copy gets a MAC address of its own only at the end. One that is not known to have come so far may have its source's, and
 * two guests with one address disturb each other. One that has ever been started was finished before.
 */
function mayBeHalfCopied(context: CommandContext, action: CreateAction, vm: ParallelsVm): boolean {
  return action.source?.$case === "hostVm" && vm.state === "stopped" && context.begunStep !== copiedStep;
}

async function makeAnew(context: CommandContext, action: CreateAction): Promise<void> {
  switch (action.source?.$case) {
    case "catalog":
      await pullFromCatalog(context, action, action.source.catalog);
      break;
    case "hostVm":
      await cloneFromHostVm(context, action.source.hostVm);
      break;
    case undefined:
      throw new CommandFailure(
        { reason: "CommandInvalid", suspect: "server", isRetryable: false },
        "The command does not say what the VM is to be made of.",
      );
  }
  await waitUntilListed(context);
}

/** The list lags behind the service's word that the VM is made. */
async function waitUntilListed(context: CommandContext): Promise<void> {
  const { clock, hostVms, signal, tuning } = context;
  const giveUpAtMs = clock.monotonicMs() + tuning.listLagMs;
  for (;;) {
    const since = hostVms.changeCount;
    if ((await findVm(context)) !== undefined) return;
    if (clock.monotonicMs() >= giveUpAtMs) {
      throw new CommandFailure(
        { reason: "MadeButNotListed", suspect: "host", isRetryable: true },
        "Parallels Desktop said that the VM is made, but does not list it.",
      );
    }
    await hostVms.waitForChange(since, tuning.lookPeriodMs, signal);
  }
}

/** The turn for the image first, so that one who waits for an image takes no place from others. */
async function takeTurns(context: CommandContext, action: CreateAction): Promise<() => void> {
  const { clock, createTurns, parallelCreates, signal } = context;
  const sayWaiting = (): void => {
    context.progress({ step: "queue", message: "Waits for other VMs that are being made on this Mac." });
    timer = clock.after(waitingPeriodMs, sayWaiting);
  };
  let timer = clock.after(waitingPeriodMs, sayWaiting);
  try {
    const endImageTurn = await createTurns.take(imageKey(action), () => 1, signal);
    try {
      const endHostTurn = await createTurns.take("host", parallelCreates, signal);
      return () => {
        endHostTurn();
        endImageTurn();
      };
    } catch (error) {
      endImageTurn();
      throw error;
    }
  } finally {
    timer.cancel();
  }
}

function imageKey(action: CreateAction): string {
  const { source } = action;
  if (source?.$case === "catalog") {
    return JSON.stringify(["image", source.catalog.url, source.catalog.catalogId, source.catalog.version]);
  }
  return JSON.stringify(["host-vm", source?.hostVm ?? ""]);
}

/** As well as it can be done in its time; the command has failed already, and this changes nothing about why. */
async function removeLeftovers(context: CommandContext): Promise<void> {
  const deadline = startDeadline(context.clock, context.tuning.cleanupLimitMs, context.stopping);
  try {
    await deleteVm({ ...context, signal: deadline.signal, progress: () => undefined }, { force: true });
  } catch (error) {
    context.log.warn({ err: error, command_id: context.command.id }, "remains of a failed create not removed");
  } finally {
    deadline.release();
  }
}
