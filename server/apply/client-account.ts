/** What admins ask of service accounts and their tokens. */
import { notFound } from "../../shared/errors.ts";
import type {
  ServiceAccountCreate,
  ServiceAccountDelete,
  ServiceAccountUpdate,
  TokenCreate,
  TokenRevoke,
  TokensUsed,
} from "../pool/events/access.ts";
import { expiredTokenRetentionMs, serviceAccountsMax, tokensPerAccountMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import { type ServiceAccountRecord, type TokenRecord, tokenDueMs } from "../pool/service-account.ts";
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

export function applyServiceAccountCreate(
  pool: Pool,
  event: ServiceAccountCreate,
  timeMs: number,
): ServiceAccountRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) return madeBefore(pool.serviceAccounts, repeated, "serviceAccounts");
  if (pool.serviceAccounts.has(event.id)) throw alreadyExists(`serviceAccounts/${event.id}`);
  if (pool.serviceAccounts.size >= serviceAccountsMax) throw tooMany("service accounts", serviceAccountsMax);
  const account: ServiceAccountRecord = { ...created(pool, timeMs), id: event.id, uid: event.uid, spec: event.spec };
  pool.accounts.putServiceAccount(account);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  return account;
}

export function applyServiceAccountUpdate(
  pool: Pool,
  event: ServiceAccountUpdate,
  timeMs: number,
): ServiceAccountRecord {
  const account = findAccount(pool, event.id);
  checkEtag(account, event.etag, `serviceAccounts/${event.id}`);
  checkGeneration(account, event.baseGeneration, `serviceAccounts/${event.id}`);
  const after: ServiceAccountRecord = { ...account, ...changed(pool, account, timeMs), spec: event.spec };
  pool.accounts.putServiceAccount(after);
  return after;
}

/** Its tokens go with it. */
export function applyServiceAccountDelete(pool: Pool, event: ServiceAccountDelete): ServiceAccountRecord {
  const account = findAccount(pool, event.id);
  checkEtag(account, event.etag, `serviceAccounts/${event.id}`);
  for (const id of pool.tokensOf(event.id)) pool.accounts.removeToken(id);
  pool.accounts.removeServiceAccount(event.id);
  return account;
}

export function applyTokenCreate(pool: Pool, event: TokenCreate, timeMs: number): TokenRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) return madeBefore(pool.tokens, repeated, "tokens");
  findAccount(pool, event.account);
  if (pool.tokensOf(event.account).size >= tokensPerAccountMax && !forgetExpired(pool, event.account)) {
    throw tooMany(`tokens of serviceAccounts/${event.account}`, tokensPerAccountMax);
  }
  const token: TokenRecord = {
    id: event.id,
    uid: event.uid,
    account: event.account,
    digest: event.digest,
    description: event.description,
    expireTimeMs: timeMs + event.lifetimeMs,
    createTimeMs: timeMs,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
  };
  pool.accounts.putToken(token);
  rememberRequest(pool, event.request, { id: event.id, uid: event.uid, timeMs });
  // Rotation with an overlap: the ones before end by themselves, those that end sooner anyway as they would.
  if (event.othersEndInMs !== undefined) {
    const endMs = timeMs + event.othersEndInMs;
    for (const id of pool.tokensOf(event.account)) {
      const other = pool.tokens.get(id);
      if (other === undefined || id === token.id || other.expireTimeMs <= endMs) continue;
      pool.accounts.putToken({ ...other, expireTimeMs: endMs, updateTimeMs: timeMs, revision: pool.nextRevision });
    }
  }
  return token;
}

export function applyTokenRevoke(pool: Pool, event: TokenRevoke): TokenRecord {
  const token = pool.tokens.get(event.id);
  if (token === undefined) throw notFound(`tokens/${event.id}`);
  checkEtag(token, event.etag, `tokens/${event.id}`);
  pool.accounts.removeToken(event.id);
  return token;
}

/** When tokens were last used, as far as they still exist. */
export function applyTokensUsed(pool: Pool, event: TokensUsed): undefined {
  for (const { id, timeMs } of event.uses) {
    const token = pool.tokens.get(id);
    if (token === undefined || (token.lastUseTimeMs ?? 0) >= timeMs) continue;
    pool.accounts.putToken({ ...token, lastUseTimeMs: timeMs, revision: pool.nextRevision });
  }
}

/** A token that has expired is shown for a while, so that whoever still uses it is told what happened. */
export function tokenDue(pool: Pool, id: TokenRecord["id"], timeMs: number): void {
  const token = pool.tokens.get(id);
  if (token === undefined) return;
  const removeAtMs = token.expireTimeMs + expiredTokenRetentionMs;
  if (removeAtMs <= timeMs) pool.accounts.removeToken(id);
  // What goes on with it is ended by the change of its record.
  else if (token.expireTimeMs <= timeMs && token.isExpired !== true) {
    pool.accounts.putToken({ ...token, isExpired: true, updateTimeMs: timeMs, revision: pool.nextRevision });
  } else pool.deadlines.schedule(`token/${id}`, tokenDueMs(token));
}

/** Makes room for a new token, if one is only kept for a look. */
function forgetExpired(pool: Pool, account: ServiceAccountRecord["id"]): boolean {
  for (const id of pool.tokensOf(account)) {
    if (pool.tokens.get(id)?.isExpired !== true) continue;
    pool.accounts.removeToken(id);
    return true;
  }
  return false;
}

function findAccount(pool: Pool, id: ServiceAccountRecord["id"]): ServiceAccountRecord {
  const account = pool.serviceAccounts.get(id);
  if (account === undefined) throw notFound(`serviceAccounts/${id}`);
  return account;
}
