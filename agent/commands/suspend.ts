/** Save the VM's memory to disk. */
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { bringTo, planFrozen } from "./power.ts";

export async function suspend(context: CommandContext): Promise<CommandOutcome> {
  return { vm: await bringTo(context, planFrozen("suspended", "suspend")) };
}
