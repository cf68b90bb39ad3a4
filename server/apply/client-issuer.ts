/** What admins ask of issuers. */
import { fieldInvalid, notFound } from "../../shared/errors.ts";
import type { IssuerCreate, IssuerDelete, IssuerUpdate } from "../pool/events/access.ts";
import type { IssuerRecord } from "../pool/issuer.ts";
import { issuersMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import {
  alreadyExists,
  changed,
  checkEtag,
  checkGeneration,
  created,
  findRepeated,
  madeBefore,
  rememberRequest,
  tooMany,
} from "./checks.ts";

export function applyIssuerCreate(pool: Pool, event: IssuerCreate, timeMs: number): IssuerRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) return madeBefore(pool.issuers, repeated, "issuers");
  if (pool.issuers.has(event.id)) throw alreadyExists(`issuers/${event.id}`);
  if (pool.issuers.size >= issuersMax) throw tooMany("issuers", issuersMax);
  checkUrl(pool, event);
  const issuer: IssuerRecord = { ...created(pool, timeMs), id: event.id, uid: event.uid, spec: event.spec };
  pool.accounts.putIssuer(issuer);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  return issuer;
}

export function applyIssuerUpdate(pool: Pool, event: IssuerUpdate, timeMs: number): IssuerRecord {
  const issuer = findIssuer(pool, event.id);
  checkEtag(issuer, event.etag, `issuers/${event.id}`);
  checkGeneration(issuer, event.baseGeneration, `issuers/${event.id}`);
  checkUrl(pool, event);
  const after: IssuerRecord = { ...issuer, ...changed(pool, issuer, timeMs), spec: event.spec };
  pool.accounts.putIssuer(after);
  return after;
}

export function applyIssuerDelete(pool: Pool, event: IssuerDelete): IssuerRecord {
  const issuer = findIssuer(pool, event.id);
  checkEtag(issuer, event.etag, `issuers/${event.id}`);
  pool.accounts.removeIssuer(event.id);
  return issuer;
}

/** A token says by its issuer's URL alone whose rules it is held to. */
function checkUrl(pool: Pool, { id, spec }: IssuerCreate | IssuerUpdate): void {
  for (const other of pool.issuers.values()) {
    if (other.id === id || other.spec.url !== spec.url) continue;
    throw fieldInvalid(
      "issuer.spec.url",
      `is that of issuers/${other.id} already; add to its audiences and rules instead`,
    );
  }
}

function findIssuer(pool: Pool, id: IssuerRecord["id"]): IssuerRecord {
  const issuer = pool.issuers.get(id);
  if (issuer === undefined) throw notFound(`issuers/${id}`);
  return issuer;
}
