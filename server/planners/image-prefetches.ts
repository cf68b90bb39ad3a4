/** The prefetch planner: has hosts begin with the images that they are to pull, as many at once as may, in the order of asking. */
import type { HostPrefetch } from "../pool/events/decisions.ts";
import { freeTurns, nextPrefetches } from "../pool/image-prefetch.ts";
import type { PoolView } from "../pool/view.ts";

export function planPrefetches(view: PoolView, nowMs: number): readonly HostPrefetch[] {
  let free = freeTurns(view);
  return [...view.prefetchHosts].flatMap((id) => {
    const host = view.hosts.get(id);
    const next = host && nextPrefetches(view, host, { nowMs, hasTurn: free > 0 });
    if (host === undefined || next === undefined) return [];
    if (next.removalCount !== host.removalCount) free -= 1;
    return { type: "host-prefetch", host: id } as const;
  });
}
