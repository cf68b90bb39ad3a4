/**
 * Have an image in the Mac's cache before a VM of it is wanted. The service has no pull without a VM, unless it is a catalog
 * itself: so one is made under a name of ours, as for a create, and removed at once. What is left of it after a crash is removed
 * by the next run of the agent, or by the server as an orphan.
 */
import type { PrefetchImageAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { create } from "./create.ts";
import { deleteVm } from "./delete.ts";
import { CommandFailure } from "./failure.ts";
import { findCachedImages } from "./image-cache.ts";
import { findVm } from "./vm-lookup.ts";

export async function prefetchImage(context: CommandContext, action: PrefetchImageAction): Promise<CommandOutcome> {
  const { image, architecture } = action;
  if (image === undefined) {
    throw new CommandFailure(
      { reason: "CommandInvalid", suspect: "server", isRetryable: false },
      "The command does not name the image.",
    );
  }
  const hasVm = (await findVm(context)) !== undefined;
  const cached = await findCachedImages(context, image);
  if (!hasVm && cached.some((one) => one.architecture === architecture)) return {};
  // Asleep in its turns and followed by its job as any create is; what fails half way it removes.
  await create(context, {
    source: { $case: "catalog", catalog: image },
    resources: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
    architecture,
    macos: false,
  });
  await deleteVm(context, { force: true });
  return {};
}
