/** How hosts come into the pool and prove themselves there: join tokens, and the certificates that hosts got. */
import type { HostId, JoinTokenId, Uid } from "../../shared/ids.ts";

export interface JoinTokenSpec {
  /** How many hosts may enrol with it; at least 1. */
  readonly maxUses: number;
  /** The pool time from which on nobody may. */
  readonly expireTimeMs: number;
  /** Which hosts may: their id, with "*" for any part of it. */
  readonly hostPattern: string;
  /** What a host that enrols with it is labelled with. */
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

export interface JoinTokenRecord {
  readonly id: JoinTokenId;
  readonly uid: Uid;
  /** A digest: the secret itself is shown once and never kept. */
  readonly secretHash: string;
  readonly spec: JoinTokenSpec;
  readonly useCount: number;
  /** Absent: nobody has enrolled with it. */
  readonly lastUseTimeMs?: number;
  /** Absent: it has not been revoked. */
  readonly revokeTimeMs?: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
}

export interface HostCertificate {
  /** In hex; its first half tells when it was issued. */
  readonly serial: string;
  /** Of the certificate. */
  readonly fingerprint: string;
  /** Of the public key in it. */
  readonly keyFingerprint: string;
  /** Of the CA that signed it. */
  readonly caFingerprint: string;
  readonly issueTimeMs: number;
  readonly expireTimeMs: number;
  /** The token that the host enrolled with; absent if it is a renewal. */
  readonly joinToken?: JoinTokenId;
}

/**
 * What a host may prove itself with. It stays when the host's record is removed, for as long as a certificate of the host's
 * could still be shown.
 */
export interface CredentialRecord {
  /** The host. */
  readonly id: HostId;
  /** Certificates issued up to this time are refused, those that are not listed here too. */
  readonly revokedTimeMs?: number;
  /** Those that are good, the newest last. */
  readonly certificates: readonly HostCertificate[];
  /** When the last certificate of the host's ends, good or revoked. */
  readonly endTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
}

export type JoinTokenState = "ACTIVE" | "SPENT" | "EXPIRED" | "REVOKED";

export function joinTokenState(token: JoinTokenRecord, nowMs: number): JoinTokenState {
  if (token.revokeTimeMs !== undefined) return "REVOKED";
  if (token.useCount >= token.spec.maxUses) return "SPENT";
  return token.spec.expireTimeMs <= nowMs ? "EXPIRED" : "ACTIVE";
}

/** Whether a host of this id may enrol. In time that grows with the product of both lengths, whatever the pattern. */
export function matchesHostPattern(pattern: string, host: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === host;
  const last = rest.pop() ?? "";
  if (host.length < first.length + last.length || !host.startsWith(first) || !host.endsWith(last)) return false;
  let from = first.length;
  const end = host.length - last.length;
  for (const part of rest) {
    const at = host.indexOf(part, from);
    if (at === -1 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

/** Whether a certificate is refused because the host's were revoked after it was issued. */
export function isRevoked(credential: CredentialRecord | undefined, issueTimeMs: number): boolean {
  return credential?.revokedTimeMs !== undefined && issueTimeMs <= credential.revokedTimeMs;
}

/** The certificate that a host could connect with now, if it has one. */
export function liveCertificate(credential: CredentialRecord | undefined, nowMs: number): HostCertificate | undefined {
  return credential?.certificates.findLast(
    ({ issueTimeMs, expireTimeMs }) => expireTimeMs > nowMs && !isRevoked(credential, issueTimeMs),
  );
}
