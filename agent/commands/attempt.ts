/** One command from its first step to its end, whatever happens on the way. */
import { AssertionFailed } from "../../shared/assert.ts";
import type { CommandUpdate, HostVm } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { startDeadline } from "../deadline.ts";
import { toHostVm } from "../inventory/host-vm.ts";
import type { ParallelsVm } from "../parallels/api.ts";
import type { CommandContext } from "./command-context.ts";
import { failed, succeeded } from "./command-update.ts";
import { AgentStopping } from "./failure.ts";
import { type Action, perform } from "./perform.ts";
import { pickVm } from "./vm-lookup.ts";

export type End =
  | { readonly kind: "succeeded"; readonly update: CommandUpdate }
  | { readonly kind: "failed"; readonly update: CommandUpdate; readonly error: unknown }
  /** The agent stops. The command has not ended. */
  | { readonly kind: "interrupted" };

/** How long the look at what a failed command left behind may take, in ms: the failure waits for it. */
const lastLookLimitMs = 10_000;

/** @param waitForTurn resolves when the command may begin. */
export async function attempt(context: CommandContext, action: Action, waitForTurn: () => Promise<void>): Promise<End> {
  try {
    await waitForTurn();
    const outcome = await perform(context, action);
    return { kind: "succeeded", update: succeeded(context.command, outcome) };
  } catch (error) {
    if (error instanceof AssertionFailed) throw error;
    if (context.signal.reason instanceof AgentStopping) return { kind: "interrupted" };
    // What a call rejects with when it is aborted is its own affair; why it was aborted is ours.
    const reason: unknown = context.signal.aborted ? context.signal.reason : error;
    const vm = await lastLook(context);
    if (context.stopping.aborted) return { kind: "interrupted" };
    return { kind: "failed", error, update: failed(context.command, reason, vm) };
  }
}

/** The VM as it is after a failure: by a fresh list or, if there is none, as it was seen last, if it was. */
async function lastLook(context: CommandContext): Promise<HostVm | "unknown" | undefined> {
  const { clock, command, hostVms, stopping } = context;
  const deadline = startDeadline(clock, lastLookLimitMs, stopping);
  try {
    const vm = tryPick(await hostVms.listFresh(deadline.signal), context);
    return vm && toHostVm(vm);
  } catch (error) {
    context.log.debug({ err: error, command_id: command.id }, "no list after a failed command");
    const vm = tryPick(hostVms.vms(), context);
    return vm === undefined ? "unknown" : toHostVm(vm);
  } finally {
    deadline.release();
  }
}

/** A name that two VMs share points at none. */
function tryPick(vms: Iterable<ParallelsVm>, context: CommandContext): ParallelsVm | undefined {
  try {
    return pickVm(vms, context.command);
  } catch {
    return undefined;
  }
}
