/** What restart and reset share. The service says yes to both for a stopped VM and does nothing, so the state is checked here. */
import type { Readiness } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { bringTo, notRunning, planRunning } from "./power.ts";
import { waitUntilReady } from "./readiness.ts";
import { untilReachable } from "./retry.ts";
import { getVm } from "./vm-lookup.ts";

export async function reboot(
  context: CommandContext,
  verb: "restart" | "reset",
  readiness: Readiness | undefined,
): Promise<CommandOutcome> {
  // A guest that is restarted twice loses work that one that was just not restarted keeps.
  if (context.begunStep !== verb) await pressOnce(context, verb);
  const vm = await bringTo(context, planRunning);
  return { vm: await waitUntilReady(context, vm, readiness) };
}

async function pressOnce(context: CommandContext, verb: "restart" | "reset"): Promise<void> {
  const { parallels, signal } = context;
  const before = await getVm(context);
  if (before.state !== "running") throw notRunning(before.state);
  context.progress({ step: verb });
  await context.begin(verb);
  await untilReachable(context, () => parallels.changeState(before.id, verb, { signal }));
}
