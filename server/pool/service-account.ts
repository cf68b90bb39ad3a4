/** Service accounts, and the tokens by which programs prove that they are one. */

import type { ServiceAccountId, TokenId, Uid } from "../../shared/ids.ts";
import { expiredTokenRetentionMs } from "./limits.ts";

/** Each includes those before it; what they allow is said where access is decided. */
export const poolRoles = ["viewer", "user", "operator", "admin"] as const;
export type PoolRole = (typeof poolRoles)[number];

/** A role in one project, or everywhere. */
export interface RoleBinding {
  readonly role: PoolRole;
  /** Absent: everywhere. */
  readonly project?: string;
}

export interface ServiceAccountSpec {
  readonly description: string;
  /** What it may do. */
  readonly bindings: readonly RoleBinding[];
  /** Its tokens are refused as long as it is. */
  readonly isDisabled: boolean;
}

export interface ServiceAccountRecord {
  readonly id: ServiceAccountId;
  readonly uid: Uid;
  readonly spec: ServiceAccountSpec;
  readonly generation: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
}

export interface TokenRecord {
  readonly id: TokenId;
  readonly uid: Uid;
  readonly account: ServiceAccountId;
  /** SHA-256 of the secret, in hex: the secret itself is known to its holder alone. */
  readonly digest: string;
  readonly description: string;
  /** From when on it is refused. */
  readonly expireTimeMs: number;
  /** Its time is over; absent: not yet. */
  readonly isExpired?: true;
  /** When it was last used, to the minute; absent: never. */
  readonly lastUseTimeMs?: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
}

/** When something is due of a token: its end, and then that it is forgotten. */
export function tokenDueMs({ expireTimeMs, isExpired }: TokenRecord): number {
  return isExpired === true ? expireTimeMs + expiredTokenRetentionMs : expireTimeMs;
}
