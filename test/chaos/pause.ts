/** Real time, for load and faults that need it. */
import { setTimeout as delay } from "node:timers/promises";

export async function pause(durationMs: number): Promise<void> {
  await delay(durationMs);
}
