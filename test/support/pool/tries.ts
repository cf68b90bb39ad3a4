/** Which waiting VMs placement takes up, in order: what a wake-up costs is how many they are. */
import type { Pool } from "../../../server/pool/pool.ts";

/** Follows a pool from now on. Returns the names as they come. */
export function followTries(pool: Pool): readonly string[] {
  const tries: string[] = [];
  const next = pool.queue.next.bind(pool.queue);
  pool.queue.next = (nowMs, shareOf) => {
    const lane = next(nowMs, shareOf);
    if (lane?.first !== undefined) tries.push(lane.first.id);
    return lane;
  };
  return tries;
}
