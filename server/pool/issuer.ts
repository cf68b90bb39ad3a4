/** Issuers: identity providers whose tokens let callers in. */
import type { IssuerId, Uid } from "../../shared/ids.ts";
import type { RoleBinding } from "./service-account.ts";

/** Gives a role to callers whose token meets a condition. */
export interface IssuerRule {
  /** In CEL, over the token's claims. It has been read once before it is kept. */
  readonly condition: string;
  readonly binding: RoleBinding;
}

export interface IssuerSpec {
  readonly description: string;
  /** As tokens name it in `iss`; no two issuers have the same. */
  readonly url: string;
  /** A token is taken if its `aud` names one of these. */
  readonly audiences: readonly string[];
  readonly rules: readonly IssuerRule[];
  /** Its tokens are refused as long as it is. */
  readonly isDisabled: boolean;
}

export interface IssuerRecord {
  readonly id: IssuerId;
  readonly uid: Uid;
  readonly spec: IssuerSpec;
  readonly generation: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
}
