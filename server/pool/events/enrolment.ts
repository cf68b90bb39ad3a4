/** What lets hosts in, and shuts them out. */
import type { HostId, JoinTokenId, Uid } from "../../../shared/ids.ts";
import type { HostCertificate, JoinTokenSpec } from "../enrolment.ts";
import type { RequestKey } from "./request-key.ts";

export interface JoinTokenCreate {
  readonly type: "join-token-create";
  readonly id: JoinTokenId;
  readonly uid: Uid;
  readonly secretHash: string;
  readonly spec: JoinTokenSpec;
  readonly request?: RequestKey;
}

/** Nobody enrols with it any more. */
export interface JoinTokenRevoke {
  readonly type: "join-token-revoke";
  readonly id: JoinTokenId;
  readonly etag?: string;
}

export interface JoinTokenDelete {
  readonly type: "join-token-delete";
  readonly id: JoinTokenId;
  readonly etag?: string;
}

/** Refuses all that the host could prove itself with. */
export interface HostRevoke {
  readonly type: "host-revoke";
  readonly host: HostId;
}

/** Spends a use of a join token on a host's first certificate. */
export interface HostEnrol {
  readonly type: "host-enrol";
  readonly joinToken: JoinTokenId;
  readonly secretHash: string;
  readonly host: HostId;
  /** Taken if the host is new. */
  readonly uid: Uid;
  readonly certificate: HostCertificate;
}

/** Renews a host's certificate. */
export interface HostCertify {
  readonly type: "host-certify";
  readonly host: HostId;
  /** When the certificate was issued that the host asked with. */
  readonly presentedIssueTimeMs: number;
  readonly certificate: HostCertificate;
}
