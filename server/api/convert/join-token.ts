/** Join tokens: read from requests with every field checked, and written into answers without their secret. */
import { create } from "@bufbuild/protobuf";
import {
  type JoinToken,
  JoinTokenSchema,
  type JoinTokenSpec as JoinTokenSpecMessage,
  JoinTokenStatus_State as State,
} from "../../../shared/gen/es/meridian/v1/join_token_pb.ts";
import { type JoinTokenRecord, type JoinTokenSpec, type JoinTokenState, joinTokenState } from "../../pool/enrolment.ts";
import { etagOf } from "../../pool/etag.ts";
import type { FieldChecks } from "../field-checks.ts";
import { descriptionLengthMax, joinTokenTtlMs, joinTokenUses } from "../limits.ts";
import { nameOf } from "../resource-name.ts";
import { readDuration, toDuration, toTimestamp } from "./time.ts";
import { type Field, readLabels } from "./types.ts";

const states: Readonly<Record<JoinTokenState, State>> = {
  ACTIVE: State.ACTIVE,
  SPENT: State.SPENT,
  EXPIRED: State.EXPIRED,
  REVOKED: State.REVOKED,
};

export function toJoinToken(token: JoinTokenRecord, nowMs: number): JoinToken {
  const { spec, lastUseTimeMs, revokeTimeMs } = token;
  return create(JoinTokenSchema, {
    name: nameOf("joinTokens", token.id),
    uid: token.uid,
    spec: {
      maxUses: spec.maxUses,
      ttl: toDuration(spec.expireTimeMs - token.createTimeMs),
      hostPattern: spec.hostPattern,
      labels: { ...spec.labels },
      description: spec.description,
    },
    status: {
      state: states[joinTokenState(token, nowMs)],
      useCount: token.useCount,
      expireTime: toTimestamp(spec.expireTimeMs),
      ...(lastUseTimeMs !== undefined && { lastUseTime: toTimestamp(lastUseTimeMs) }),
      ...(revokeTimeMs !== undefined && { revokeTime: toTimestamp(revokeTimeMs) }),
    },
    createTime: toTimestamp(token.createTimeMs),
    updateTime: toTimestamp(token.updateTimeMs),
    etag: etagOf(token),
  });
}

/** What a spec asks for; when the token ends is for the caller to say, who knows what time it is. */
export type RequestedJoinToken = Omit<JoinTokenSpec, "expireTimeMs"> & { readonly ttlMs: number };

/** @param field such as `join_token.spec`; the faults found are in `checks`. */
export function readJoinTokenSpec(checks: FieldChecks, field: Field<JoinTokenSpecMessage>): RequestedJoinToken {
  const { path, value: spec } = field;
  const hostPattern = spec.hostPattern === "" ? "*" : spec.hostPattern;
  return {
    maxUses: spec.maxUses === 0 ? 1 : checks.number(`${path}.max_uses`, spec.maxUses, joinTokenUses),
    ttlMs: readDuration(checks, { path: `${path}.ttl`, value: spec.ttl }, joinTokenTtlMs) ?? joinTokenTtlMs.default,
    hostPattern: checks.pattern(
      `${path}.host_pattern`,
      hostPattern,
      /^[a-z0-9.*-]{1,63}$/,
      'a host\'s id with "*" for any part of it: lower-case letters, digits, "." and "-", at most 63 characters',
    ),
    labels: readLabels(checks, { path: `${path}.labels`, value: spec.labels }),
    description: checks.text(`${path}.description`, spec.description, {
      lengthMax: descriptionLengthMax,
      canBeEmpty: true,
      canHaveLines: true,
    }),
  };
}
