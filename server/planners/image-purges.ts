/** The purge planner: has a host remove images of revoked templates, a few at a time, and forget what is not wanted any more. */
import type { ImagesPurge } from "../pool/events/decisions.ts";
import type { HostRecord } from "../pool/host.ts";
import { nextPurges } from "../pool/image-purge.ts";
import type { PoolView } from "../pool/view.ts";

export function planPurges(
  view: Pick<PoolView, "templates" | "catalogs" | "purgingTemplates">,
  host: HostRecord,
  nowMs: number,
): ImagesPurge | undefined {
  return nextPurges(view, host, nowMs) === undefined ? undefined : { type: "images-purge", host: host.id };
}
