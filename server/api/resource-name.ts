/** Names of resources, `collection/id`, as they stand in requests and answers. */
import { fieldInvalid } from "../../shared/errors.ts";
import {
  asCatalogId,
  asHostId,
  asIssuerId,
  asJoinTokenId,
  asProjectId,
  asServiceAccountId,
  asTemplateId,
  asTokenId,
  asVmId,
  type CatalogId,
  type HostId,
  hostIdPattern,
  type IssuerId,
  type JoinTokenId,
  type ProjectId,
  resourceIdPattern,
  type ServiceAccountId,
  type TemplateId,
  type TokenId,
  type VmId,
} from "../../shared/ids.ts";
import type { FieldChecks } from "./field-checks.ts";

export type Collection =
  | "vms"
  | "hosts"
  | "templates"
  | "catalogs"
  | "projects"
  | "joinTokens"
  | "serviceAccounts"
  | "tokens"
  | "issuers";

export interface IdOf {
  readonly vms: VmId;
  readonly hosts: HostId;
  readonly templates: TemplateId;
  readonly catalogs: CatalogId;
  readonly projects: ProjectId;
  readonly joinTokens: JoinTokenId;
  readonly serviceAccounts: ServiceAccountId;
  readonly tokens: TokenId;
  readonly issuers: IssuerId;
}

/** The id in a name. Throws FIELD_INVALID if it is no name of the collection. */
export function idOfName<C extends Collection>(collection: C, name: string, field = "name"): IdOf[C] {
  const id = idInName(collection, name);
  if (id === undefined) throw fieldInvalid(field, describeName(collection));
  return id;
}

/** The same among other checks. */
export function checkName<C extends Collection>(
  checks: FieldChecks,
  collection: C,
  field: { readonly path: string; readonly value: string },
): IdOf[C] {
  const id = idInName(collection, field.value);
  if (id !== undefined) return id;
  checks.refuse(field.path, describeName(collection));
  return brands[collection]("");
}

/** The id that a caller chose for a new resource. Throws FIELD_INVALID. */
export function chosenId<C extends Collection>(collection: C, id: string, field: string): IdOf[C] {
  if (!patterns[collection].test(id)) throw fieldInvalid(field, `must be ${describeId(collection)}`);
  return brands[collection](id);
}

export function nameOf(collection: Collection, id: string): string {
  return `${collection}/${id}`;
}

/** A template's name may name a version of it. */
export const templateNamePattern =
  /^templates\/(?<id>[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\/versions\/(?<version>[A-Za-z0-9][A-Za-z0-9._-]{0,62}))?$/;

/** The casts of `shared/ids.ts` by collection; the check has been made where they are called. */
const brands: { readonly [C in Collection]: (text: string) => IdOf[C] } = {
  vms: asVmId,
  hosts: asHostId,
  templates: asTemplateId,
  catalogs: asCatalogId,
  projects: asProjectId,
  joinTokens: asJoinTokenId,
  serviceAccounts: asServiceAccountId,
  tokens: asTokenId,
  issuers: asIssuerId,
};

const patterns: Readonly<Record<Collection, RegExp>> = {
  vms: resourceIdPattern,
  hosts: hostIdPattern,
  templates: resourceIdPattern,
  catalogs: resourceIdPattern,
  projects: resourceIdPattern,
  joinTokens: resourceIdPattern,
  serviceAccounts: resourceIdPattern,
  tokens: resourceIdPattern,
  issuers: resourceIdPattern,
};

function idInName<C extends Collection>(collection: C, name: string): IdOf[C] | undefined {
  const prefix = `${collection}/`;
  if (!name.startsWith(prefix)) return undefined;
  const id = name.slice(prefix.length);
  return patterns[collection].test(id) ? brands[collection](id) : undefined;
}

function describeName(collection: Collection): string {
  return `must be a name such as "${collection}/abc", its last part ${describeId(collection)}`;
}

function describeId(collection: Collection): string {
  return collection === "hosts"
    ? 'lower-case letters, digits, "." and "-", at most 63, beginning and ending with a letter or digit'
    : 'lower-case letters, digits and "-", at most 63, beginning with a letter and not ending with "-"';
}
