/** Waits for a condition, not for time. */
import { setTimeout as delay } from "node:timers/promises";

/** Rejects when the condition does not hold within the bound, naming it. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, boundMs = 20_000): Promise<void> {
  const endMs = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${boundMs} ms`);
    await delay(10);
  }
}
