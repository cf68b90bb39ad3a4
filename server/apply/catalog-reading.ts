/** What the server has read of catalogs. */
import type { CatalogReading } from "../pool/catalog.ts";
import type { CatalogRead } from "../pool/events/templates.ts";
import type { Pool } from "../pool/pool.ts";

/** False: it is no news, or not of that catalog any more. */
export function applyCatalogRead(pool: Pool, { id, uid, url, outcome }: CatalogRead, timeMs: number): boolean {
  const catalog = pool.catalogs.get(id);
  if (catalog?.uid !== uid || catalog.spec.url !== url) return false;
  const { reading: before } = catalog;
  const hasFault = outcome.kind === "fault";
  const isAsBefore = before !== undefined && (before.fault !== undefined) === hasFault;
  const sinceMs = isAsBefore ? before.sinceMs : timeMs;
  const reading: CatalogReading = hasFault
    ? { manifests: before?.manifests ?? [], leftOutCount: before?.leftOutCount ?? 0, fault: outcome.fault, sinceMs }
    : { manifests: outcome.manifests, leftOutCount: outcome.leftOutCount, sinceMs };
  if (isAsBefore && JSON.stringify(before) === JSON.stringify(reading)) return false;
  pool.putCatalog({ ...catalog, reading, revision: pool.nextRevision });
  return true;
}
