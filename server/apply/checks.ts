/** Checks that several appliers share; each throws a `MeridianError` and changes nothing. */
import { MeridianError } from "../../shared/errors.ts";
import type { HostId, Uid } from "../../shared/ids.ts";
import { etagOf } from "../pool/etag.ts";
import type { RequestKey } from "../pool/events/request-key.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Pool } from "../pool/pool.ts";

/** @param resource the full name, such as `vms/a`. */
export function checkEtag(
  record: { readonly uid: Uid; readonly revision: number },
  etag: string | undefined,
  resource: string,
): void {
  if (etag === undefined || etag === etagOf(record)) return;
  throw new MeridianError(
    "ETAG_MISMATCH",
    `${resource} has changed since that etag was read; read it again and retry`,
    {
      resource,
      metadata: { resource, etag: etagOf(record) },
    },
  );
}

/** The new spec was derived from the record as it is. */
export function checkGeneration(
  record: { readonly generation: number },
  baseGeneration: number,
  resource: string,
): void {
  if (record.generation === baseGeneration) return;
  throw new MeridianError(
    "ETAG_MISMATCH",
    `${resource} was changed by someone else meanwhile; read it again and retry`,
    {
      resource,
      metadata: { resource },
    },
  );
}

export function alreadyExists(resource: string): MeridianError {
  return new MeridianError("RESOURCE_EXISTS", `${resource} exists; choose another id, or delete it first`, {
    resource,
    metadata: { resource },
  });
}

export function tooMany(what: string, most: number): MeridianError {
  return new MeridianError("LIMIT_REACHED", `there are ${most} ${what} already; delete some that nobody uses`, {
    metadata: { limit: what, most: String(most) },
  });
}

/** What the same request made before. */
export interface RepeatedRequest {
  readonly resourceId: string;
  readonly uid: Uid;
  /** All that a batch made. */
  readonly batch: readonly Uid[];
}

/** The id of the resource that the same request has already made, or nothing if the request is new. */
export function findRepeated(pool: Pool, request: RequestKey | undefined): RepeatedRequest | undefined {
  const known = request === undefined ? undefined : pool.requests.get(request.id);
  if (request === undefined || known === undefined) return undefined;
  if (known.fingerprint !== request.fingerprint) {
    throw new MeridianError(
      "REQUEST_ID_REUSED",
      "this request_id was used for a request with other content; use a new one for a new request",
      { metadata: { request: request.id } },
    );
  }
  return { resourceId: known.resourceId, uid: known.resourceUid, batch: known.batch ?? [] };
}

/** The same request made something that is gone since. */
export function repeatedButGone(resource: string): MeridianError {
  return new MeridianError("RESOURCE_NOT_FOUND", `${resource}, which this request made, has been deleted since`, {
    resource,
    metadata: { resource },
  });
}

/** Remembers what a request made. */
export function rememberRequest(
  pool: Pool,
  request: RequestKey | undefined,
  made: { readonly id: string; readonly uid: Uid; readonly timeMs: number; readonly batch?: readonly Uid[] },
): void {
  if (request === undefined) return;
  const { id, uid, timeMs, batch } = made;
  const several = batch === undefined ? {} : { batch };
  pool.putRequest({ ...request, resourceId: id, resourceUid: uid, ...several, createTimeMs: timeMs });
}

/** The host, if the epoch is that of its newest session. */
export function currentHost(pool: Pool, id: HostId, epoch: number): HostRecord | undefined {
  const host = pool.hosts.get(id);
  return host?.epoch === epoch ? host : undefined;
}

/** What the same request made earlier. Throws if that is gone, also when its name is another's by now. */
export function madeBefore<R extends { readonly uid: Uid }>(
  records: ReadonlyMap<string, R>,
  repeated: { readonly resourceId: string; readonly uid: Uid },
  collection: string,
): R {
  const made = records.get(repeated.resourceId);
  if (made?.uid !== repeated.uid) throw repeatedButGone(`${collection}/${repeated.resourceId}`);
  return made;
}

/** What every new record of a resource begins with. */
export function created(pool: Pool, timeMs: number) {
  return { generation: 1, createTimeMs: timeMs, updateTimeMs: timeMs, revision: pool.nextRevision };
}

/** What every change of a resource changes. */
export function changed(pool: Pool, record: { readonly generation: number }, timeMs: number) {
  return { generation: record.generation + 1, updateTimeMs: timeMs, revision: pool.nextRevision };
}

/** @param why after the name and "is in use: ". */
export function inUse(resource: string, why: string): MeridianError {
  return new MeridianError("RESOURCE_IN_USE", `${resource} is in use: ${why}`, { resource, metadata: { resource } });
}
