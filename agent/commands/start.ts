/** Power on, from wherever the VM is, and wait until it is ready. */
import type { StartAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { bringTo, planRunning } from "./power.ts";
import { waitUntilReady } from "./readiness.ts";

export async function start(context: CommandContext, action: StartAction): Promise<CommandOutcome> {
  const vm = await bringTo(context, planRunning);
  return { vm: await waitUntilReady(context, vm, action.readiness) };
}
