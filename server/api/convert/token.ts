/** Tokens of service accounts: read from requests with every field checked, and written into answers without their secret. */
import { create } from "@bufbuild/protobuf";
import {
  TokenStatus_State as State,
  type Token,
  TokenSchema,
  type TokenSpec as TokenSpecMessage,
} from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import type { ServiceAccountId } from "../../../shared/ids.ts";
import { etagOf } from "../../pool/etag.ts";
import type { TokenRecord } from "../../pool/service-account.ts";
import type { FieldChecks } from "../field-checks.ts";
import { descriptionLengthMax, tokenTtlMs } from "../limits.ts";
import { checkName, nameOf } from "../resource-name.ts";
import { readDuration, toDuration, toTimestamp } from "./time.ts";
import type { Field } from "./types.ts";

export function toToken(token: TokenRecord, nowMs: number): Token {
  const { expireTimeMs, lastUseTimeMs } = token;
  return create(TokenSchema, {
    name: nameOf("tokens", token.id),
    uid: token.uid,
    spec: {
      serviceAccount: nameOf("serviceAccounts", token.account),
      ttl: toDuration(expireTimeMs - token.createTimeMs),
      description: token.description,
    },
    status: {
      state: expireTimeMs <= nowMs ? State.EXPIRED : State.ACTIVE,
      expireTime: toTimestamp(expireTimeMs),
      ...(lastUseTimeMs !== undefined && { lastUseTime: toTimestamp(lastUseTimeMs) }),
    },
    createTime: toTimestamp(token.createTimeMs),
    etag: etagOf(token),
  });
}

/** What is asked of a new token. */
export interface RequestedToken {
  readonly account: ServiceAccountId;
  readonly lifetimeMs: number;
  readonly description: string;
}

/** @param field such as `token.spec`; the faults found are in `checks`. */
export function readTokenSpec(checks: FieldChecks, { path, value: spec }: Field<TokenSpecMessage>): RequestedToken {
  return {
    account: checkName(checks, "serviceAccounts", { path: `${path}.service_account`, value: spec.serviceAccount }),
    lifetimeMs: readDuration(checks, { path: `${path}.ttl`, value: spec.ttl }, tokenTtlMs) ?? tokenTtlMs.default,
    description: checks.text(`${path}.description`, spec.description, {
      lengthMax: descriptionLengthMax,
      canBeEmpty: true,
      canHaveLines: true,
    }),
  };
}
