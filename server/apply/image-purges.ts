/** Images of revoked templates: how hosts are told to remove them, and what becomes of that. */

import type { HostId } from "../../shared/ids.ts";
import type { ImagesPurge } from "../pool/events/decisions.ts";
import type { CommandReport } from "../pool/events/host-reports.ts";
import type { HostRecord } from "../pool/host.ts";
import { type ImagePurge, nextPurges } from "../pool/image-purge.ts";
import { retryDelayMs } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import { imageKey } from "../pool/shape.ts";
import { changeHost } from "./change-host.ts";

/** Gives the host the removals that are due, and drops those that are not wanted any more. False: there is nothing to do. */
export function applyImagesPurge(pool: Pool, event: ImagesPurge, timeMs: number): boolean {
  const host = pool.hosts.get(event.host);
  const next = host === undefined ? undefined : nextPurges(pool, host, timeMs);
  if (host === undefined || next === undefined) return false;
  changeHost(pool, host, timeMs, next);
  return true;
}

/** Applies a report of the removal of an image; false if it is of none that is under way. */
export function applyPurgeReport(pool: Pool, id: HostId, report: CommandReport, timeMs: number): boolean {
  const host = pool.hosts.get(id);
  const purge = host?.imagePurges?.find(({ commandId }) => commandId === report.commandId);
  if (host === undefined || purge === undefined) return false;
  const { catalogId, version, retryCount } = purge;
  if (report.state === "SUCCEEDED") {
    const key = imageKey(catalogId, version);
    changeHost(pool, host, timeMs, {
      images: host.images.filter((image) => imageKey(image.catalogId, image.version) !== key),
      imagePurges: withPurge(host, purge, { catalogId, version, atMs: timeMs, retryCount: 0, isDone: true }),
    });
  } else if (report.state === "FAILED" || report.state === "REFUSED") {
    const { reason = "Unexplained", message = "the host did not say why" } = report.failure ?? {};
    changeHost(pool, host, timeMs, {
      imagePurges: withPurge(host, purge, {
        catalogId,
        version,
        atMs: timeMs + retryDelayMs(retryCount),
        retryCount: retryCount + 1,
        failure: { reason, message, timeMs },
      }),
    });
  }
  return true;
}

function withPurge({ imagePurges = [] }: HostRecord, before: ImagePurge, after: ImagePurge): readonly ImagePurge[] {
  return imagePurges.map((purge) => (purge === before ? after : purge));
}
