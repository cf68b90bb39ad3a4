/** Service accounts: read from requests with every field checked, and written into answers. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type RoleBinding as RoleBindingMessage,
  type RoleBindingSchema,
  Role as RoleValue,
  type ServiceAccount,
  ServiceAccountSchema,
  type ServiceAccountSpec as ServiceAccountSpecMessage,
  type ServiceAccountSpecSchema,
} from "../../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { etagOf } from "../../pool/etag.ts";
import type { RoleBinding, ServiceAccountRecord, ServiceAccountSpec } from "../../pool/service-account.ts";
import type { PoolView } from "../../pool/view.ts";
import { type FieldChecks, isPrintable } from "../field-checks.ts";
import { bindingsMax, descriptionLengthMax, projectLengthMax } from "../limits.ts";
import { nameOf } from "../resource-name.ts";
import { requiredWord } from "./enums.ts";
import { toTimestamp } from "./time.ts";
import type { Field } from "./types.ts";

export const roleValues: Readonly<Record<RoleBinding["role"], RoleValue>> = {
  viewer: RoleValue.VIEWER,
  user: RoleValue.USER,
  operator: RoleValue.OPERATOR,
  admin: RoleValue.ADMIN,
};

export function toServiceAccount(
  account: ServiceAccountRecord,
  view: Pick<PoolView, "tokens" | "tokensOf">,
  nowMs: number,
): ServiceAccount {
  const tokens = [...view.tokensOf(account.id)].flatMap((id) => view.tokens.get(id) ?? []);
  const lastUseTimeMs = Math.max(0, ...tokens.map((token) => token.lastUseTimeMs ?? 0));
  return create(ServiceAccountSchema, {
    name: nameOf("serviceAccounts", account.id),
    uid: account.uid,
    spec: toServiceAccountSpec(account.spec),
    status: {
      tokenCount: tokens.filter(({ expireTimeMs }) => expireTimeMs > nowMs).length,
      ...(lastUseTimeMs > 0 && { lastUseTime: toTimestamp(lastUseTimeMs) }),
    },
    generation: BigInt(account.generation),
    createTime: toTimestamp(account.createTimeMs),
    updateTime: toTimestamp(account.updateTimeMs),
    etag: etagOf(account),
  });
}

export function toServiceAccountSpec(spec: ServiceAccountSpec): MessageInitShape<typeof ServiceAccountSpecSchema> {
  return { description: spec.description, bindings: spec.bindings.map(toRoleBinding), disabled: spec.isDisabled };
}

export function toRoleBinding({ role, project }: RoleBinding): MessageInitShape<typeof RoleBindingSchema> {
  return { role: roleValues[role], ...(project !== undefined && { project }) };
}

/** @param field such as `service_account.spec`; the faults found are in `checks`. */
export function readServiceAccountSpec(
  checks: FieldChecks,
  { path, value: spec }: Field<ServiceAccountSpecMessage>,
): ServiceAccountSpec {
  checks.count(`${path}.bindings`, spec.bindings.length, bindingsMax);
  return {
    description: checks.text(`${path}.description`, spec.description, {
      lengthMax: descriptionLengthMax,
      canBeEmpty: true,
      canHaveLines: true,
    }),
    bindings: spec.bindings
      .slice(0, bindingsMax)
      .map((binding, index) => readBinding(checks, { path: `${path}.bindings[${index}]`, value: binding })),
    isDisabled: spec.disabled,
  };
}

/** @param field such as `service_account.spec.bindings[0]`; the faults found are in `checks`. */
export function readBinding(checks: FieldChecks, { path, value }: Field<RoleBindingMessage>): RoleBinding {
  const role = requiredWord(checks, { path: `${path}.role`, value: value.role }, roleValues) ?? "viewer";
  const { project } = value;
  if (project === "") return { role };
  if (project.length > projectLengthMax || !isPrintable(project)) {
    checks.refuse(`${path}.project`, `must be a project's id, at most ${projectLengthMax} characters`);
  } else if (project.startsWith("projects/")) {
    // Or it would never match the project that it seems to name.
    checks.refuse(`${path}.project`, 'must be the project\'s id alone, without "projects/" before it');
  }
  return { role, project };
}
