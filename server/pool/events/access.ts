/** What is asked of projects, service accounts, their tokens, and issuers. */
import type { IssuerId, ProjectId, ServiceAccountId, TokenId, Uid } from "../../../shared/ids.ts";
import type { IssuerSpec } from "../issuer.ts";
import type { ProjectSpec } from "../project.ts";
import type { ServiceAccountSpec } from "../service-account.ts";
import type { RequestKey } from "./request-key.ts";

export interface ProjectCreate {
  readonly type: "project-create";
  readonly id: ProjectId;
  readonly uid: Uid;
  readonly spec: ProjectSpec;
  readonly request?: RequestKey;
}

export interface ProjectUpdate {
  readonly type: "project-update";
  readonly id: ProjectId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: ProjectSpec;
}

export interface ProjectDelete {
  readonly type: "project-delete";
  readonly id: ProjectId;
  readonly etag?: string;
}

export interface ServiceAccountCreate {
  readonly type: "service-account-create";
  readonly id: ServiceAccountId;
  readonly uid: Uid;
  readonly spec: ServiceAccountSpec;
  readonly request?: RequestKey;
}

export interface ServiceAccountUpdate {
  readonly type: "service-account-update";
  readonly id: ServiceAccountId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: ServiceAccountSpec;
}

export interface ServiceAccountDelete {
  readonly type: "service-account-delete";
  readonly id: ServiceAccountId;
  readonly etag?: string;
}

export interface IssuerCreate {
  readonly type: "issuer-create";
  readonly id: IssuerId;
  readonly uid: Uid;
  readonly spec: IssuerSpec;
  readonly request?: RequestKey;
}

export interface IssuerUpdate {
  readonly type: "issuer-update";
  readonly id: IssuerId;
  readonly etag?: string;
  readonly baseGeneration: number;
  readonly spec: IssuerSpec;
}

export interface IssuerDelete {
  readonly type: "issuer-delete";
  readonly id: IssuerId;
  readonly etag?: string;
}

export interface TokenCreate {
  readonly type: "token-create";
  readonly id: TokenId;
  readonly uid: Uid;
  readonly account: ServiceAccountId;
  /** SHA-256 of the secret, in hex. */
  readonly digest: string;
  readonly description: string;
  readonly lifetimeMs: number;
  /** When the account's other tokens end, from now on; absent: as before. */
  readonly othersEndInMs?: number;
  readonly request?: RequestKey;
}

export interface TokenRevoke {
  readonly type: "token-revoke";
  readonly id: TokenId;
  readonly etag?: string;
}

/** When tokens were last used; told now and then, not with each call. */
export interface TokensUsed {
  readonly type: "tokens-used";
  readonly uses: readonly { readonly id: TokenId; readonly timeMs: number }[];
}
