/** Press the reset button, and wait until the guest is ready again. */
import type { ResetAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { reboot } from "./reboot.ts";

export function reset(context: CommandContext, action: ResetAction): Promise<CommandOutcome> {
  return reboot(context, "reset", action.readiness);
}
