/**
 * Remove an image from the Mac's cache of catalog images. An image that is not there is success, and so it is only when a fresh
 * list no longer shows it: what the service answers to the removal is not looked at as long as the list says that it is gone.
 */
import type { PurgeImageAction } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CachedVersion } from "../parallels/api.ts";
import type { CommandContext, CommandOutcome } from "./command-context.ts";
import { CommandFailure } from "./failure.ts";
import { untilReachable } from "./retry.ts";

export async function purgeImage(context: CommandContext, action: PurgeImageAction): Promise<CommandOutcome> {
  const image = await findImage(context, action);
  if (image === undefined) return {};
  context.progress({ step: "purge" });
  try {
    await untilReachable(context, () => context.parallels.removeCachedImage(image, context.signal));
  } catch (error) {
    context.signal.throwIfAborted();
    // It may have been done all the same, or by somebody else.
    if ((await findImage(context, action)) === undefined) return {};
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
    if ((await findImage(context, action)) === undefined) return;
    if (clock.monotonicMs() >= giveUpAtMs) throw stillCached(action);
    await hostVms.waitForChange(since, tuning.lookPeriodMs, signal);
  }
}

/** The image as a fresh list names it: catalogs keep ids in upper case, however they are asked for. */
async function findImage(context: CommandContext, wanted: PurgeImageAction): Promise<CachedVersion | undefined> {
  const images = await untilReachable(context, () => context.parallels.listCachedImages(context.signal));
  return images.find(
    ({ catalogId, version }) =>
      catalogId.toUpperCase() === wanted.catalogId.toUpperCase() && version === wanted.version,
  );
}

function stillCached({ catalogId, version }: PurgeImageAction): CommandFailure {
  return new CommandFailure(
    { reason: "StillCached", suspect: "host", isRetryable: true },
    `The service accepted the removal of the image ${catalogId} ${version}, but still lists it.`,
  );
}
