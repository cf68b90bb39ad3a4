/** What lists and watches need to know of a kind of resource: where its records are, and how they become messages. */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type Host, HostSchema } from "../../shared/gen/es/meridian/v1/host_pb.ts";
import { type Issuer, IssuerSchema } from "../../shared/gen/es/meridian/v1/issuer_pb.ts";
import { type JoinToken, JoinTokenSchema } from "../../shared/gen/es/meridian/v1/join_token_pb.ts";
import { type Project, ProjectSchema } from "../../shared/gen/es/meridian/v1/project_pb.ts";
import {
  type ServiceAccount,
  ServiceAccountSchema,
  type Token,
  TokenSchema,
} from "../../shared/gen/es/meridian/v1/service_account_pb.ts";
import {
  type Catalog,
  CatalogSchema,
  type Template,
  TemplateSchema,
} from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { type Vm, VmSchema } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { RecordChange } from "../engine/engine-api.ts";
import { waitingSentence } from "../placement/explain.ts";
import type { JoinTokenRecord } from "../pool/enrolment.ts";
import type { HostRecord } from "../pool/host.ts";
import type { IssuerRecord } from "../pool/issuer.ts";
import type { ProjectRecord } from "../pool/project.ts";
import type { ServiceAccountRecord, TokenRecord } from "../pool/service-account.ts";
import type { CatalogRecord, TemplateRecord } from "../pool/template.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import { toCatalog } from "./convert/catalog.ts";
import { toHost } from "./convert/host.ts";
import { ImageIndex } from "./convert/image-index.ts";
import { toIssuer } from "./convert/issuer.ts";
import { toJoinToken } from "./convert/join-token.ts";
import { toProject } from "./convert/project.ts";
import { toServiceAccount } from "./convert/service-account.ts";
import { toTemplate } from "./convert/template.ts";
import { toToken } from "./convert/token.ts";
import { toVm } from "./convert/vm.ts";
import type { Collection } from "./resource-name.ts";

export interface ResourceKind<R extends { readonly id: string }, S extends DescMessage> {
  readonly collection: Collection;
  readonly schema: S;
  records(view: PoolView): ReadonlyMap<string, R>;
  /** Makes messages out of records, for one reading of the pool. */
  converter(view: PoolView, nowMs: number): (record: R) => MessageShape<S>;
  /** The records that a change concerns. */
  affectedBy(change: RecordChange): readonly Affected<R>[];
}

/** A resource that a change concerns, and what its record was before. */
export type Affected<R> =
  | { readonly id: string; readonly before: R | undefined; readonly after: R | undefined }
  /** Its record has not changed, but what is told of it beside the record has. */
  | { readonly id: string; readonly isDerived: true };

export const vmKind: ResourceKind<VmRecord, typeof VmSchema> = {
  collection: "vms",
  schema: VmSchema,
  records: (view) => view.vms,
  converter: (view, nowMs): ((vm: VmRecord) => Vm) => {
    const waiting = (vm: VmRecord): string => waitingSentence(view, vm, nowMs);
    return (vm) => toVm(vm, waiting);
  },
  affectedBy: (change) => (change.kind === "vm" ? [change] : []),
};

export const hostKind: ResourceKind<HostRecord, typeof HostSchema> = {
  collection: "hosts",
  schema: HostSchema,
  records: (view) => view.hosts,
  converter: (view): ((host: HostRecord) => Host) => {
    const images = new ImageIndex(view);
    return (host) => toHost(view, host, images);
  },
  affectedBy: (change) => {
    if (change.kind === "host") return [change];
    if (change.kind === "credential") return [{ id: change.id, isDerived: true }];
    // What is allocated on a host changes when a VM comes or goes.
    if (change.kind !== "vm" || change.before?.host === change.after?.host) return [];
    return [change.before?.host, change.after?.host].flatMap((id) =>
      id === undefined ? [] : [{ id, isDerived: true }],
    );
  },
};

export const templateKind: ResourceKind<TemplateRecord, typeof TemplateSchema> = {
  collection: "templates",
  schema: TemplateSchema,
  records: (view) => view.templates,
  converter: (view): ((template: TemplateRecord) => Template) => {
    const images = new ImageIndex(view);
    return (template) => toTemplate(view, template, images);
  },
  affectedBy: (change) => (change.kind === "template" ? [change] : []),
};

export const catalogKind: ResourceKind<CatalogRecord, typeof CatalogSchema> = {
  collection: "catalogs",
  schema: CatalogSchema,
  records: (view) => view.catalogs,
  converter: (): ((catalog: CatalogRecord) => Catalog) => toCatalog,
  affectedBy: (change) => (change.kind === "catalog" ? [change] : []),
};

export const projectKind: ResourceKind<ProjectRecord, typeof ProjectSchema> = {
  collection: "projects",
  schema: ProjectSchema,
  records: (view) => view.projects,
  converter: (view): ((project: ProjectRecord) => Project) => {
    return (project) => toProject(project, view.projectLedger(project.id));
  },
  affectedBy: (change) => (change.kind === "project" ? [change] : []),
};

export const joinTokenKind: ResourceKind<JoinTokenRecord, typeof JoinTokenSchema> = {
  collection: "joinTokens",
  schema: JoinTokenSchema,
  records: (view) => view.joinTokens,
  converter: (_view, nowMs): ((token: JoinTokenRecord) => JoinToken) => {
    return (token) => toJoinToken(token, nowMs);
  },
  affectedBy: (change) => (change.kind === "join-token" ? [change] : []),
};

export const serviceAccountKind: ResourceKind<ServiceAccountRecord, typeof ServiceAccountSchema> = {
  collection: "serviceAccounts",
  schema: ServiceAccountSchema,
  records: (view) => view.serviceAccounts,
  converter: (view, nowMs): ((account: ServiceAccountRecord) => ServiceAccount) => {
    return (account) => toServiceAccount(account, view, nowMs);
  },
  affectedBy: (change) => {
    if (change.kind === "service-account") return [change];
    if (change.kind !== "token") return [];
    const id = change.after?.account ?? change.before?.account;
    return id === undefined ? [] : [{ id, isDerived: true }];
  },
};

export const issuerKind: ResourceKind<IssuerRecord, typeof IssuerSchema> = {
  collection: "issuers",
  schema: IssuerSchema,
  records: (view) => view.issuers,
  converter: (): ((issuer: IssuerRecord) => Issuer) => toIssuer,
  affectedBy: (change) => (change.kind === "issuer" ? [change] : []),
};

export const tokenKind: ResourceKind<TokenRecord, typeof TokenSchema> = {
  collection: "tokens",
  schema: TokenSchema,
  records: (view) => view.tokens,
  converter: (_view, nowMs): ((token: TokenRecord) => Token) => {
    return (token) => toToken(token, nowMs);
  },
  affectedBy: (change) => (change.kind === "token" ? [change] : []),
};
