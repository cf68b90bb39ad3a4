/** Freeze the VM in memory. */
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { bringTo, planFrozen } from "./power.ts";

export async function pause(context: CommandContext): Promise<CommandOutcome> {
  return { vm: await bringTo(context, planFrozen("paused", "pause")) };
}
