/** Join tokens, and what hosts get with them: a certificate each, its renewals, and the end of all of them. */
import { MeridianError, notFound } from "../../shared/errors.ts";
import {
  type CredentialRecord,
  type HostCertificate,
  isRevoked,
  type JoinTokenRecord,
  joinTokenState,
  liveCertificate,
  matchesHostPattern,
} from "../pool/enrolment.ts";
import type {
  HostCertify,
  HostEnrol,
  HostRevoke,
  JoinTokenCreate,
  JoinTokenDelete,
  JoinTokenRevoke,
} from "../pool/events/enrolment.ts";
import type { HostRecord } from "../pool/host.ts";
import { joinTokenRetentionMs, joinTokensMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolView } from "../pool/view.ts";
import { alreadyExists, checkEtag, findRepeated, rememberRequest, repeatedButGone } from "./checks.ts";
import { newHost } from "./new-host.ts";

export function applyJoinTokenCreate(pool: Pool, event: JoinTokenCreate, timeMs: number): JoinTokenRecord {
  const repeated = findRepeated(pool, event.request);
  if (repeated !== undefined) {
    const made = [...pool.joinTokens.values()].find(({ uid }) => uid === repeated.uid);
    if (made === undefined) throw repeatedButGone(`joinTokens/${repeated.resourceId}`);
    return made;
  }
  if (pool.joinTokens.has(event.id)) throw alreadyExists(`joinTokens/${event.id}`);
  if (pool.joinTokens.size >= joinTokensMax) {
    throw new MeridianError("LIMIT_REACHED", `there are ${joinTokensMax} join tokens, which is the most; delete some`, {
      metadata: { limit: "join_tokens", most: String(joinTokensMax) },
    });
  }
  const { id, uid, secretHash, spec } = event;
  const times = { createTimeMs: timeMs, updateTimeMs: timeMs, revision: pool.nextRevision };
  const token: JoinTokenRecord = { id, uid, secretHash, spec, useCount: 0, ...times };
  pool.enrolments.putJoinToken(token);
  rememberRequest(pool, event.request, { id, uid, timeMs });
  return token;
}

/** Those who enrolled with it stay. */
export function applyJoinTokenRevoke(pool: Pool, event: JoinTokenRevoke, timeMs: number): JoinTokenRecord {
  const token = findToken(pool, event.id);
  checkEtag(token, event.etag, `joinTokens/${event.id}`);
  if (token.revokeTimeMs !== undefined) return token;
  return putToken(pool, token, timeMs, { revokeTimeMs: timeMs });
}

export function applyJoinTokenDelete(pool: Pool, event: JoinTokenDelete): JoinTokenRecord {
  const token = findToken(pool, event.id);
  checkEtag(token, event.etag, `joinTokens/${event.id}`);
  pool.enrolments.removeJoinToken(event.id);
  return token;
}

/** A use of the token and the certificate that it buys are one change: neither is ever there without the other. */
export function applyHostEnrol(pool: Pool, event: HostEnrol, timeMs: number): HostRecord {
  checkEnrolment(pool, event, timeMs);
  const token = findToken(pool, event.joinToken);
  const credential = pool.credentials.get(event.host);
  const isRepeated = isSameEnrolment(credential, event, timeMs);
  const certificate: HostCertificate = { ...event.certificate, joinToken: event.joinToken };
  putCertificate(pool, event.host, certificate, timeMs);
  if (!isRepeated) putToken(pool, token, timeMs, { useCount: token.useCount + 1, lastUseTimeMs: timeMs });
  return putEnrolledHost(pool, event, token, timeMs);
}

/** Throws what `applyHostEnrol` would throw, before a certificate is made for nothing. */
export function checkEnrolment(
  pool: Pick<PoolView, "joinTokens" | "credentials">,
  event: Pick<HostEnrol, "joinToken" | "secretHash" | "host"> & {
    readonly certificate: Pick<HostCertificate, "keyFingerprint" | "issueTimeMs">;
  },
  timeMs: number,
): void {
  const token = pool.joinTokens.get(event.joinToken);
  // One answer for an unknown token and for a wrong secret: whoever guesses learns nothing.
  if (token?.secretHash !== event.secretHash) throw tokenRefused("this server has no such join token; make a new one");
  const credential = pool.credentials.get(event.host);
  if (isRevoked(credential, event.certificate.issueTimeMs)) {
    throw new MeridianError(
      "SERVER_NOT_SERVING",
      `the certificates of hosts/${event.host} were just revoked; try again`,
      {
        retryAfterMs: 1000,
      },
    );
  }
  // The same agent again, whose answer was lost: it has used the token, and may not use it up twice.
  if (isSameEnrolment(credential, event, timeMs) && token.revokeTimeMs === undefined) return;
  const state = joinTokenState(token, timeMs);
  if (state !== "ACTIVE") throw tokenRefused(`the join token ${whyEnded[state]}; make a new one`);
  if (!matchesHostPattern(token.spec.hostPattern, event.host)) {
    throw tokenRefused(`the join token is for hosts named ${token.spec.hostPattern}, not ${event.host}`);
  }
  if (liveCertificate(credential, timeMs) !== undefined) {
    throw new MeridianError(
      "STATE_NOT_ALLOWED",
      `hosts/${event.host} is enrolled and has a certificate; revoke that first if this Mac takes its place, or choose ` +
        "another name for this one",
      { resource: `hosts/${event.host}`, metadata: { host: `hosts/${event.host}`, state: "ENROLLED" } },
    );
  }
}

/** A certificate in the place of one that will end. */
export function applyHostCertify(pool: Pool, event: HostCertify, timeMs: number): CredentialRecord {
  const credential = pool.credentials.get(event.host);
  if (isRevoked(credential, event.presentedIssueTimeMs)) throw hostRevoked(event.host);
  return putCertificate(pool, event.host, event.certificate, timeMs);
}

/** Everything that the host was ever given is refused from now on. */
export function applyHostRevoke(pool: Pool, event: HostRevoke, timeMs: number): CredentialRecord {
  const credential = pool.credentials.get(event.host);
  if (credential === undefined && !pool.hosts.has(event.host)) throw notFound(`hosts/${event.host}`);
  return revokeHost(pool, event.host, timeMs);
}

export function revokeHost(pool: Pool, host: HostRecord["id"], timeMs: number): CredentialRecord {
  const credential = pool.credentials.get(host);
  const after: CredentialRecord = {
    id: host,
    revokedTimeMs: timeMs,
    certificates: [],
    endTimeMs: credential?.endTimeMs ?? timeMs,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
  };
  pool.enrolments.putCredential(after);
  return after;
}

/** The host shows a certificate that was issued at that time. Throws HOST_REVOKED. */
export function checkNotRevoked(pool: Pool, host: HostRecord["id"], issueTimeMs: number): void {
  if (isRevoked(pool.credentials.get(host), issueTimeMs)) throw hostRevoked(host);
}

function hostRevoked(host: string): MeridianError {
  return new MeridianError(
    "HOST_REVOKED",
    `the certificate of hosts/${host} was revoked; if this Mac is to come back, enrol it again with a new join token`,
    { resource: `hosts/${host}`, metadata: { host: `hosts/${host}` } },
  );
}

/** Tokens that nobody can use any more are kept for a look, and credentials until nothing of them can be shown. */
export function joinTokenDue(pool: Pool, id: JoinTokenRecord["id"], timeMs: number): void {
  const token = pool.joinTokens.get(id);
  if (token === undefined) return;
  if (token.spec.expireTimeMs + joinTokenRetentionMs <= timeMs) pool.enrolments.removeJoinToken(id);
  else pool.deadlines.schedule(`join-token/${id}`, token.spec.expireTimeMs + joinTokenRetentionMs);
}

export function credentialDue(pool: Pool, id: HostRecord["id"], timeMs: number): void {
  const credential = pool.credentials.get(id);
  if (credential === undefined) return;
  if (credential.endTimeMs <= timeMs) pool.enrolments.removeCredential(id);
  else pool.deadlines.schedule(`credential/${id}`, credential.endTimeMs);
}

const whyEnded = {
  SPENT: "has been used as often as it may be",
  EXPIRED: "has expired",
  REVOKED: "was revoked",
} as const;

/** Two at a time: the present one, and the next, until the host has shown that it has it. */
const certificatesMax = 2;

function putCertificate(
  pool: Pool,
  host: HostRecord["id"],
  certificate: HostCertificate,
  timeMs: number,
): CredentialRecord {
  const credential = pool.credentials.get(host);
  const good = (credential?.certificates ?? []).filter(
    ({ expireTimeMs, keyFingerprint }) => expireTimeMs > timeMs && keyFingerprint !== certificate.keyFingerprint,
  );
  const after: CredentialRecord = {
    ...credential,
    id: host,
    certificates: [...good, certificate].slice(-certificatesMax),
    endTimeMs: Math.max(credential?.endTimeMs ?? 0, certificate.expireTimeMs),
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
  };
  pool.enrolments.putCredential(after);
  return after;
}

function isSameEnrolment(
  credential: CredentialRecord | undefined,
  event: Pick<HostEnrol, "joinToken"> & { readonly certificate: Pick<HostCertificate, "keyFingerprint"> },
  timeMs: number,
): boolean {
  const live = liveCertificate(credential, timeMs);
  return live?.joinToken === event.joinToken && live.keyFingerprint === event.certificate.keyFingerprint;
}

function putEnrolledHost(pool: Pool, event: HostEnrol, token: JoinTokenRecord, timeMs: number): HostRecord {
  const known = pool.hosts.get(event.host);
  const { labels } = token.spec;
  if (known === undefined) {
    const host = newHost(pool, { id: event.host, uid: event.uid, labels }, timeMs);
    const after = { ...host, revision: pool.nextRevision };
    pool.putHost(after);
    return after;
  }
  if (Object.entries(labels).every(([key, value]) => known.spec.labels[key] === value)) return known;
  const after = {
    ...known,
    spec: { ...known.spec, labels: { ...known.spec.labels, ...labels } },
    generation: known.generation + 1,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
  };
  pool.putHost(after);
  return after;
}

function putToken(
  pool: Pool,
  token: JoinTokenRecord,
  timeMs: number,
  fields: Partial<JoinTokenRecord>,
): JoinTokenRecord {
  const after = { ...token, ...fields, updateTimeMs: timeMs, revision: pool.nextRevision };
  pool.enrolments.putJoinToken(after);
  return after;
}

function findToken(pool: Pool, id: JoinTokenRecord["id"]): JoinTokenRecord {
  const token = pool.joinTokens.get(id);
  if (token === undefined) throw notFound(`joinTokens/${id}`);
  return token;
}

function tokenRefused(message: string): MeridianError {
  return new MeridianError("JOIN_TOKEN_REFUSED", message);
}
