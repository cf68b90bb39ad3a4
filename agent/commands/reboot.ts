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
  const before = await getVm(context);
  if (before.state !== "running") throw notRunning(before.state);
  context.progress({ step: verb });
  const { parallels, signal } = context;
  await untilReachable(context, () => parallels.changeState(before.id, verb, { signal }));
  const vm = await bringTo(context, planRunning);
  return { vm: await waitUntilReady(context, vm, readiness) };
}
