/** Power off: by asking the guest, which is given a bounded time, or by cutting the power. */
import type { StopAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { bringTo, planStopped } from "./power.ts";

export async function stop(context: CommandContext, action: StopAction): Promise<CommandOutcome> {
  return { vm: await bringTo(context, planStopped(context, action.force)) };
}
