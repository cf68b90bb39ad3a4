/** Issuers: read from requests with every field checked, and written into answers. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Issuer,
  type IssuerRule as IssuerRuleMessage,
  type IssuerRuleSchema,
  IssuerSchema,
  type IssuerSpec as IssuerSpecMessage,
  type IssuerSpecSchema,
} from "../../../shared/gen/es/meridian/v1/issuer_pb.ts";
import { readCondition } from "../../access/oidc/claim-rule.ts";
import { issuerUrlProblem } from "../../access/oidc/issuer-url.ts";
import { etagOf } from "../../pool/etag.ts";
import type { IssuerRecord, IssuerRule, IssuerSpec } from "../../pool/issuer.ts";
import type { FieldChecks } from "../field-checks.ts";
import { audienceLengthMax, audiencesMax, bindingsMax, descriptionLengthMax } from "../limits.ts";
import { nameOf } from "../resource-name.ts";
import { readBinding, toRoleBinding } from "./service-account.ts";
import { toTimestamp } from "./time.ts";
import type { Field } from "./types.ts";

export function toIssuer(issuer: IssuerRecord): Issuer {
  return create(IssuerSchema, {
    name: nameOf("issuers", issuer.id),
    uid: issuer.uid,
    spec: toIssuerSpec(issuer.spec),
    generation: BigInt(issuer.generation),
    createTime: toTimestamp(issuer.createTimeMs),
    updateTime: toTimestamp(issuer.updateTimeMs),
    etag: etagOf(issuer),
  });
}

export function toIssuerSpec(spec: IssuerSpec): MessageInitShape<typeof IssuerSpecSchema> {
  const { description, url, audiences, rules, isDisabled } = spec;
  return { description, url, audiences: [...audiences], rules: rules.map(toIssuerRule), disabled: isDisabled };
}

export function toIssuerRule({ condition, binding }: IssuerRule): MessageInitShape<typeof IssuerRuleSchema> {
  return { condition, binding: toRoleBinding(binding) };
}

/** @param field such as `issuer.spec`; the faults found are in `checks`. */
export function readIssuerSpec(checks: FieldChecks, { path, value: spec }: Field<IssuerSpecMessage>): IssuerSpec {
  const problem = issuerUrlProblem(spec.url);
  if (problem !== undefined) checks.refuse(`${path}.url`, `must ${problem}`);
  if (spec.audiences.length === 0) checks.refuse(`${path}.audiences`, "must name at least one");
  checks.count(`${path}.audiences`, spec.audiences.length, audiencesMax);
  checks.count(`${path}.rules`, spec.rules.length, bindingsMax);
  return {
    description: checks.text(`${path}.description`, spec.description, {
      lengthMax: descriptionLengthMax,
      canBeEmpty: true,
      canHaveLines: true,
    }),
    url: spec.url,
    audiences: spec.audiences
      .slice(0, audiencesMax)
      .map((audience, index) => checks.text(`${path}.audiences[${index}]`, audience, { lengthMax: audienceLengthMax })),
    rules: spec.rules
      .slice(0, bindingsMax)
      .map((rule, index) => readRule(checks, { path: `${path}.rules[${index}]`, value: rule })),
    isDisabled: spec.disabled,
  };
}

function readRule(checks: FieldChecks, { path, value: { condition, binding } }: Field<IssuerRuleMessage>): IssuerRule {
  const rule = readCondition(condition);
  if ("problem" in rule) checks.refuse(`${path}.condition`, rule.problem);
  if (binding !== undefined)
    return { condition, binding: readBinding(checks, { path: `${path}.binding`, value: binding }) };
  checks.refuse(`${path}.binding`, "must be set");
  return { condition, binding: { role: "viewer" } };
}
