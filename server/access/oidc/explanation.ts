/** What an issuer's rules make of claims, and what else would keep a token that has them out. */
import type { IssuerRule, IssuerSpec } from "../../pool/issuer.ts";
import type { Binding } from "../roles.ts";
import { type Claims, type RuleOutcome, readCondition } from "./claim-rule.ts";
import { clockSkewMs } from "./issuer-tokens.ts";
import { principalOf } from "./oidc-admission.ts";

export interface ClaimsExplanation {
  readonly rules: readonly (RuleOutcome & { readonly rule: IssuerRule })[];
  readonly problems: readonly string[];
  /** Empty if the claims do not say who it is. */
  readonly principal: string;
  readonly bindings: readonly Binding[];
}

/** @param nowMs the pool's time. */
export function explainClaims({
  id,
  spec,
  claims,
  nowMs,
}: {
  readonly id: string;
  readonly spec: IssuerSpec;
  readonly claims: Claims;
  readonly nowMs: number;
}): ClaimsExplanation {
  const rules = spec.rules.map((rule) => ({ rule, ...outcomeOf(rule, claims) }));
  const { sub } = claims;
  return {
    rules,
    problems: problemsOf(spec, claims, nowMs),
    principal: typeof sub === "string" && sub !== "" ? principalOf(id, sub) : "",
    bindings: rules.filter(({ holds }) => holds).map(({ rule }) => rule.binding),
  };
}

function outcomeOf({ condition }: IssuerRule, claims: Claims): RuleOutcome {
  const rule = readCondition(condition);
  return "problem" in rule ? { holds: false, problem: rule.problem } : rule.evaluate(claims);
}

function problemsOf(spec: IssuerSpec, { iss, aud, sub, exp, nbf }: Claims, nowMs: number): readonly string[] {
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const nowSeconds = nowMs / 1000;
  const skewSeconds = clockSkewMs / 1000;
  const found: readonly (false | string)[] = [
    spec.isDisabled && "the issuer is disabled",
    iss !== spec.url && `\`iss\` is not ${JSON.stringify(spec.url)}`,
    !audiences.some((audience) => spec.audiences.some((taken) => taken === audience)) &&
      `\`aud\` names none of ${JSON.stringify(spec.audiences)}`,
    (typeof sub !== "string" || sub === "") && "there is no `sub`",
    typeof exp !== "number" && "there is no `exp`",
    typeof exp === "number" && exp <= nowSeconds - skewSeconds && "`exp` is over",
    typeof nbf === "number" && nbf > nowSeconds + skewSeconds && "`nbf` is still to come",
  ];
  return found.filter((problem) => problem !== false);
}
