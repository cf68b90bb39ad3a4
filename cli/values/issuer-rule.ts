/** Rules of issuers as people write them: `user@acme: repository == "acme/app"`. */
import type { IssuerRule } from "../../shared/gen/es/meridian/v1/issuer_pb.ts";
import { wrongUsage } from "../failure.ts";
import { type Binding, collectRole, formatRoles } from "./role.ts";

export interface RuleText {
  readonly condition: string;
  readonly binding: Binding;
}

/** For a flag that may be repeated. */
export function collectRule(text: string, previous: readonly RuleText[] | undefined): readonly RuleText[] {
  const colon = text.indexOf(":");
  const condition = text.slice(colon + 1).trim();
  if (colon === -1 || condition === "") {
    throw wrongUsage(
      `${text} is no rule`,
      'A rule is a role and a condition, such as `user@acme: repository == "acme/app" && ref == "refs/heads/main"`.',
    );
  }
  const [binding] = collectRole(text.slice(0, colon).trim(), undefined);
  return binding === undefined ? (previous ?? []) : [...(previous ?? []), { condition, binding }];
}

/** Such as `user in acme if repository == "acme/app"`. */
export function formatRule({ condition, binding }: Pick<IssuerRule, "condition" | "binding">): string {
  return `${formatRoles(binding === undefined ? [] : [binding])} if ${condition}`;
}
