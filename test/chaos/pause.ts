/** Real time, for load and faults that need it. */
import { setTimeout as delay } from "node:timers/promises";

/** @param signal ends it early. */
export async function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  await delay(durationMs, undefined, { ...(signal !== undefined && { signal }) }).catch((error: unknown) => {
    if (signal?.aborted !== true) throw error;
  });
}
