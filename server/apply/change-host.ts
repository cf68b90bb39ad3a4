/** Changes a host's record on what was seen or decided, which leaves its spec and generation as they are. */
import type { HostRecord } from "../pool/host.ts";
import type { Pool } from "../pool/pool.ts";

export function changeHost(pool: Pool, host: HostRecord, timeMs: number, fields: Partial<HostRecord>): HostRecord {
  const after: HostRecord = { ...host, ...fields, updateTimeMs: timeMs, revision: pool.nextRevision };
  pool.putHost(after);
  return after;
}
