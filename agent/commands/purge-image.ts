/**
 * Remove an image from the Mac's cache of catalog images. An image that is not there is success, and so it is only when a fresh
 * list no longer shows it: what the service answers to the removal is not looked at as long as the list says that it is gone.
 */
import type { PurgeImageAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { findCachedImages } from "./image-cache.ts";
import { untilReachable } from "./retry.ts";

export async function purgeImage(context: CommandContext, action: PurgeImageAction): Promise<CommandOutcome> {
  const [image] = await findCachedImages(context, action);
  if (image === undefined) return {};
  context.progress({ step: "purge" });
  try {
    await untilReachable(context, () => context.parallels.removeCachedImage(image, context.signal));
  } catch (error) {
    context.signal.throwIfAborted();
    // It may have been done all the same, or by somebody else.
    if ((await findCachedImages(context, action)).length === 0) return {};
    throw error;
  }
  await waitUntilGone(context, action);
  return {};
}

/** The list lags behind the service's word. */
async function waitUntilGone(context: CommandContext, action: PurgeImageAction): Promise<void> {
  const { clock, hostVms, signal, tuning } = context;
  const giveUpAtMs = clock.monotonicMs() + tuning.listLagMs;
  for (;;) {
    const since = hostVms.changeCount;
    if ((await findCachedImages(context, action)).length === 0) return;
    if (clock.monotonicMs() >= giveUpAtMs) throw stillCached(action);
    await hostVms.waitForChange(since, tuning.lookPeriodMs, signal);
  }
}

function stillCached({ catalogId, version }: PurgeImageAction): CommandFailure {
  return new CommandFailure(
    { reason: "StillCached", suspect: "host", isRetryable: true },
    `The service accepted the removal of the image ${catalogId} ${version}, but still lists it.`,
  );
}
