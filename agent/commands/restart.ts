/** Have the guest restart, and wait until it is ready again. */
import type { RestartAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { reboot } from "./reboot.ts";

export function restart(context: CommandContext, action: RestartAction): Promise<CommandOutcome> {
  return reboot(context, "restart", action.readiness);
}
