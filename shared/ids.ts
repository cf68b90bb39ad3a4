/**
 * Ids: branded, so that a host's id cannot stand where a VM's is meant. Ids are made at the edges and come into the core
 * inside events.
 */
import { randomBytes, randomUUID } from "node:crypto";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** The last part of `hosts/{host}`. */
export type HostId = Branded<"HostId">;
/** The last part of `vms/{vm}`. */
export type VmId = Branded<"VmId">;
/** The last part of `templates/{template}`. */
export type TemplateId = Branded<"TemplateId">;
/** The last part of `catalogs/{catalog}`. */
export type CatalogId = Branded<"CatalogId">;
/** The last part of `projects/{project}`. */
export type ProjectId = Branded<"ProjectId">;
/** The last part of `joinTokens/{join_token}`. */
export type JoinTokenId = Branded<"JoinTokenId">;
/** The last part of `serviceAccounts/{service_account}`. */
export type ServiceAccountId = Branded<"ServiceAccountId">;
/** The last part of `issuers/{issuer}`. */
export type IssuerId = Branded<"IssuerId">;
/** The last part of `tokens/{token}`: the part of a token that is no secret. */
export type TokenId = Branded<"TokenId">;
/** A command's id; derived from its VM's uid and a counter, or random for commands without a VM of the pool. */
export type CommandId = Branded<"CommandId">;
/** Unique for ever: 32 lower-case hex digits. */
export type Uid = Branded<"Uid">;

/** The casts of this file are where plain strings, checked by the caller, become ids. */
export const asHostId = (text: string): HostId => text as HostId;
export const asVmId = (text: string): VmId => text as VmId;
export const asTemplateId = (text: string): TemplateId => text as TemplateId;
export const asCatalogId = (text: string): CatalogId => text as CatalogId;
export const asProjectId = (text: string): ProjectId => text as ProjectId;
export const asJoinTokenId = (text: string): JoinTokenId => text as JoinTokenId;
export const asServiceAccountId = (text: string): ServiceAccountId => text as ServiceAccountId;
export const asIssuerId = (text: string): IssuerId => text as IssuerId;
export const asTokenId = (text: string): TokenId => text as TokenId;
export const asCommandId = (text: string): CommandId => text as CommandId;
export const asUid = (text: string): Uid => text as Uid;

/** Where random ids come from; a seeded one takes its place in the simulation. */
export interface IdSource {
  /** A new uid: 32 lower-case hex digits. */
  uid(): Uid;
  /** `length` characters of a-z and 2-7, for names that people read. */
  suffix(length: number): string;
}

const suffixAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

export const randomIds: IdSource = {
  uid: () => asUid(randomUUID().replaceAll("-", "")),
  suffix: (length) => Array.from(randomBytes(length), (byte) => suffixAlphabet.charAt(byte & 31)).join(""),
};

/** What the last part of a resource's name may be: lower-case letters, digits and "-", beginning with a letter, at most 63. */
export const resourceIdPattern = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What a host may be called: as a DNS name, lower case, at most 63 characters. */
export const hostIdPattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;

/**
 * The name of a VM in Parallels Desktop on its host. It is derived from the VM's uid and attempt, so that a repeated command
 * finds what an earlier one made. All such names have one length, because the local API takes a name that is part of
 * another for the same, and none contains "mac", because it counts such VMs as macOS guests.
 */
export function hostVmName(uid: Uid, attempt: number): string {
  return `meridian-${uid}-${String(attempt % 1000).padStart(3, "0")}`;
}

/** The uid and attempt in a name made by `hostVmName`, or nothing if it is no such name. */
export function parseHostVmName(name: string): { readonly uid: Uid; readonly attempt: number } | undefined {
  const match = /^meridian-([0-9a-f]{32})-(\d{3})$/.exec(name);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { uid: asUid(match[1]), attempt: Number(match[2]) };
}
