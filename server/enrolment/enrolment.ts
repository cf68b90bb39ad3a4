/**
 * Gives hosts their certificates: the first for a join token, the next ones for the one before. A certificate is made first
 * and handed out only when the pool has taken it, together with the use of the token; one that the pool refuses is forgotten,
 * and opens nothing.
 */
import type { X509Certificate } from "node:crypto";
import { fieldInvalid, MeridianError } from "../../shared/errors.ts";
import type {
  CertificateNotice,
  Credentials,
  EnrollRequest,
  RenewCertificateRequest,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import {
  asHostId,
  asJoinTokenId,
  type HostId,
  hostIdPattern,
  type IdSource,
  resourceIdPattern,
} from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import { fingerprintOf } from "../../shared/tls/fingerprint.ts";
import { hashSecret } from "../../shared/tls/join-token.ts";
import { checkEnrolment } from "../apply/enrolment.ts";
import type { EngineApi } from "../engine/engine-api.ts";
import type { HostCertificate } from "../pool/enrolment.ts";
import type { HostPeer } from "../sessions/peer.ts";
import type { Authority } from "../tls/authority.ts";
import { renewalShare } from "../tls/lifetimes.ts";
import { issueTimeMs } from "../tls/serial.ts";
import { type RequestedKey, readCertificateRequest } from "./certificate-request.ts";

export interface EnrolmentOptions {
  readonly engine: EngineApi;
  readonly authority: Authority;
  readonly ids: IdSource;
  readonly log: Logger;
}

/**
 * Certificates that are being made at once. Each takes a millisecond of signing, so that a whole pool that enrols is through
 * in seconds, and whoever floods the port from outside keeps this much busy and no more.
 */
const inFlightMax = 64;

/** Secrets have 43 characters. */
const secretLengthMax = 128;

export class Enrolment {
  private readonly options: EnrolmentOptions;
  private inFlight = 0;

  constructor(options: EnrolmentOptions) {
    this.options = options;
  }

  /** Throws FIELD_INVALID, JOIN_TOKEN_REFUSED, STATE_NOT_ALLOWED, LIMIT_REACHED. */
  async enrol(request: EnrollRequest, address: string): Promise<Credentials> {
    const { engine, ids, log } = this.options;
    const wanted = readEnrolRequest(request);
    return await this.limited(async () => {
      const key = await readCertificateRequest(request.certificateRequest);
      const nowMs = Math.floor(engine.nowMs());
      // Whoever has no token has nothing signed, and no signature of his checked.
      const checked = { ...wanted, certificate: { keyFingerprint: key.fingerprint, issueTimeMs: nowMs } };
      await engine.read((view) => checkEnrolment(view, checked, engine.nowMs()));
      await key.verify();
      const { made, certificate } = await this.make(wanted.host, key, nowMs);
      const caller = { principal: `joinTokens/${wanted.joinToken}`, authentication: "join-token", address };
      const asked = { action: "Enroll", caller };
      await engine.submit({ type: "host-enrol", ...wanted, uid: ids.uid(), certificate, asked });
      log.info(
        { host_id: wanted.host, join_token: wanted.joinToken, fingerprint: certificate.fingerprint },
        "host enrolled",
      );
      return this.credentials(made);
    });
  }

  /** Throws FIELD_INVALID, HOST_REVOKED, LIMIT_REACHED. */
  async renew(
    { host, issueTimeMs: presentedIssueTimeMs }: HostPeer,
    request: RenewCertificateRequest,
    address: string,
  ): Promise<Credentials> {
    const { engine, log } = this.options;
    return await this.limited(async () => {
      const key = await readCertificateRequest(request.certificateRequest);
      await key.verify();
      const { made, certificate } = await this.make(host, key, Math.floor(engine.nowMs()));
      const caller = { principal: `hosts/${host}`, authentication: "certificate", address };
      const asked = { action: "RenewCertificate", caller };
      await engine.submit({ type: "host-certify", host, presentedIssueTimeMs, certificate, asked });
      log.info({ host_id: host, fingerprint: certificate.fingerprint }, "host certificate renewed");
      return this.credentials(made);
    });
  }

  /** What a host with this certificate is told about renewing it. */
  notice({ issueTimeMs: issuedMs, expireTimeMs }: HostPeer): CertificateNotice {
    const { engine, authority } = this.options;
    const dueMs = issuedMs + renewalShare * (expireTimeMs - issuedMs);
    return { renewInMs: Math.max(0, Math.round(dueMs - engine.nowMs())), caFingerprints: [...authority.fingerprints] };
  }

  private async make(
    host: HostId,
    key: RequestedKey,
    nowMs: number,
  ): Promise<{ readonly made: X509Certificate; readonly certificate: HostCertificate }> {
    const { authority } = this.options;
    const caFingerprint = authority.fingerprint;
    const made = await authority.issueHostCertificate(host, key.publicKey, nowMs);
    const serial = made.serialNumber.toLowerCase();
    const certificate = {
      serial,
      fingerprint: fingerprintOf(made),
      keyFingerprint: key.fingerprint,
      caFingerprint,
      issueTimeMs: issueTimeMs(serial),
      expireTimeMs: made.validToDate.getTime(),
    };
    return { made, certificate };
  }

  private credentials(made: X509Certificate): Credentials {
    const { authority } = this.options;
    return { certificate: made.raw, caCertificates: authority.rootCertificates.map(({ raw }) => raw) };
  }

  private async limited<T>(work: () => Promise<T>): Promise<T> {
    if (this.inFlight >= inFlightMax) {
      throw new MeridianError("LIMIT_REACHED", "too many hosts ask for certificates at once; try again in a moment", {
        metadata: { limit: "enrolments", most: String(inFlightMax) },
        retryAfterMs: 1000,
      });
    }
    this.inFlight += 1;
    try {
      return await work();
    } finally {
      this.inFlight -= 1;
    }
  }
}

function readEnrolRequest({ joinTokenId, secret, hostId }: EnrollRequest) {
  if (!resourceIdPattern.test(joinTokenId)) throw fieldInvalid("join_token_id", "must be the id of a join token");
  if (secret.length > secretLengthMax) throw fieldInvalid("secret", `must have at most ${secretLengthMax} characters`);
  if (!hostIdPattern.test(hostId))
    throw fieldInvalid("host_id", 'must have lower-case letters, digits, "-" and ".", at most 63');
  return { joinToken: asJoinTokenId(joinTokenId), secretHash: hashSecret(secret), host: asHostId(hostId) };
}
