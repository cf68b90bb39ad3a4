/**
 * Who may call what: the one table of it. A method that is missing here does not compile, and a server whose services have
 * one all the same does not start.
 */
import type { DescMethod, DescService, MessageShape } from "@bufbuild/protobuf";
import { AccessService } from "../../shared/gen/es/meridian/v1/access_service_pb.ts";
import { CatalogService } from "../../shared/gen/es/meridian/v1/catalog_service_pb.ts";
import { EventService } from "../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { HostService } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { PoolService } from "../../shared/gen/es/meridian/v1/pool_service_pb.ts";
import { TemplateService } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { VmService } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { Requirement } from "./requirement.ts";
import type { Role } from "./roles.ts";

/** What each method of a service needs, by its local name. */
type PermissionsOf<S extends DescService> = {
  readonly [M in keyof S["method"]]: Requirement<RequestOf<S["method"][M]>>;
};

/** Of a method that takes a stream, its first message. */
type RequestOf<M extends DescMethod> = MessageShape<M["input"]>;

const vms: PermissionsOf<typeof VmService> = {
  createVm: inProject("user", ({ vm }) => vm?.spec?.project),
  // All VMs of a batch are of one project.
  batchCreateVms: inProject("user", ({ requests }) => requests[0]?.vm?.spec?.project),
  planVm: inProject("user", ({ spec }) => spec?.project),
  getVm: onVm("viewer", ({ name }) => name),
  listVms: somewhere("viewer"),
  watchVms: somewhere("viewer"),
  waitVm: onVm("viewer", ({ name }) => name),
  explainVm: onVm("viewer", ({ name }) => name),
  updateVm: ownOrOperated(({ vm }) => vm?.name),
  startVm: ownOrOperated(({ name }) => name),
  stopVm: ownOrOperated(({ name }) => name),
  suspendVm: ownOrOperated(({ name }) => name),
  resumeVm: ownOrOperated(({ name }) => name),
  pauseVm: ownOrOperated(({ name }) => name),
  restartVm: ownOrOperated(({ name }) => name),
  resetVm: ownOrOperated(({ name }) => name),
  deleteVm: ownOrOperated(({ name }) => name),
  renewVm: ownOrOperated(({ name }) => name),
  // What is on the disk of a VM is in its copy too.
  cloneVm: { ...ownOrOperated(({ name }) => name), alsoUserIn: ({ spec }) => spec?.project },
  execVm: ownOrOperated(({ payload }) => (payload.case === "start" ? payload.value.name : undefined)),
  // It takes from a host what belongs to no project.
  adoptVm: inPool("operator"),
};

const hosts: PermissionsOf<typeof HostService> = {
  getHost: somewhere("viewer"),
  listHosts: somewhere("viewer"),
  watchHosts: somewhere("viewer"),
  // VMs of all projects, and those that people keep on a Mac for themselves.
  listHostVms: inPool("viewer"),
  updateHost: inPool("operator"),
  cordonHost: inPool("operator"),
  uncordonHost: inPool("operator"),
  releaseHost: inPool("operator"),
  drainHost: inPool("operator"),
  deleteHost: inPool("operator"),
  // Whoever lets Macs in, and shuts them out, decides what the pool trusts.
  revokeHost: inPool("admin"),
  controlHostVm: inPool("operator"),
};

const templates: PermissionsOf<typeof TemplateService> = {
  getTemplate: somewhere("viewer"),
  listTemplates: somewhere("viewer"),
  watchTemplates: somewhere("viewer"),
  createTemplate: inPool("operator"),
  updateTemplate: inPool("operator"),
  deleteTemplate: inPool("operator"),
  taintTemplate: inPool("operator"),
  prefetchTemplate: inPool("operator"),
  revokeTemplate: inPool("operator"),
  restoreTemplate: inPool("operator"),
};

const catalogs: PermissionsOf<typeof CatalogService> = {
  getCatalog: inPool("viewer"),
  listCatalogs: inPool("viewer"),
  createCatalog: inPool("operator"),
  updateCatalog: inPool("operator"),
  deleteCatalog: inPool("operator"),
};

const pool: PermissionsOf<typeof PoolService> = {
  getPool: somewhere("viewer"),
  getSettings: inPool("viewer"),
  updateSettings: inPool("admin"),
  // A copy of everything.
  backup: inPool("admin"),
};

const access: PermissionsOf<typeof AccessService> = {
  getProject: inNamedProject("viewer", ({ name }) => name),
  listProjects: somewhere("viewer"),
  // Whoever gives a project its share gives it at the cost of others.
  createProject: inPool("admin"),
  updateProject: inPool("admin"),
  deleteProject: inPool("admin"),
  getJoinToken: inPool("admin"),
  listJoinTokens: inPool("admin"),
  createJoinToken: inPool("admin"),
  revokeJoinToken: inPool("admin"),
  deleteJoinToken: inPool("admin"),
  createServiceAccount: inPool("admin"),
  getServiceAccount: inPool("admin"),
  listServiceAccounts: inPool("admin"),
  updateServiceAccount: inPool("admin"),
  deleteServiceAccount: inPool("admin"),
  createToken: inPool("admin"),
  listTokens: inPool("admin"),
  revokeToken: inPool("admin"),
  createIssuer: inPool("admin"),
  getIssuer: inPool("admin"),
  listIssuers: inPool("admin"),
  updateIssuer: inPool("admin"),
  deleteIssuer: inPool("admin"),
  explainIssuer: inPool("admin"),
  whoAmI: { scope: "self" },
  getCertificateAuthority: inPool("viewer"),
  getSecretsKey: inPool("admin"),
  rotateSecretsKey: inPool("admin"),
  rotateCertificateAuthority: inPool("admin"),
  finishCertificateAuthorityRotation: inPool("admin"),
};

const events: PermissionsOf<typeof EventService> = {
  listEvents: somewhere("viewer"),
  watchEvents: somewhere("viewer"),
};

const services: readonly { readonly service: DescService; readonly methods: Readonly<Record<string, Requirement>> }[] =
  [
    { service: VmService, methods: vms },
    { service: HostService, methods: hosts },
    { service: TemplateService, methods: templates },
    { service: CatalogService, methods: catalogs },
    { service: PoolService, methods: pool },
    { service: AccessService, methods: access },
    { service: EventService, methods: events },
  ];

/** What a method needs; nothing if it is not in the table. */
export function requirementOf(method: DescMethod): Requirement | undefined {
  return services.find(({ service }) => service.typeName === method.parent.typeName)?.methods[method.localName];
}

/** Every service of the table, in the order of the documents. */
export const guardedServices: readonly DescService[] = services.map(({ service }) => service);

/** Whether the method changes something: nothing is audited of the others. */
export function isChange(method: DescMethod): boolean {
  return !/^(?:get|list|watch|wait|explain|plan|whoAmI)/.test(method.localName);
}

function inPool(role: Role): Requirement & { readonly scope: "pool" } {
  return { scope: "pool", role };
}

function somewhere(role: Role): Requirement & { readonly scope: "somewhere" } {
  return { scope: "somewhere", role };
}

function inProject<Request>(role: Role, projectOf: (request: Request) => string | undefined): Requirement<Request> {
  return { scope: "project", role, projectOf };
}

/** The request has the project's name as a resource. */
function inNamedProject<Request>(role: Role, nameOf: (request: Request) => string): Requirement<Request> {
  return inProject(role, (request: Request) => nameOf(request).replace(/^projects\//, ""));
}

type OnVm<Request> = Extract<Requirement<Request>, { scope: "vm" }>;

function onVm<Request>(role: Role, vmOf: (request: Request) => string | undefined): OnVm<Request> {
  return { scope: "vm", role, vmOf };
}

/** One's own as a user, those of others as an operator of their project. */
function ownOrOperated<Request>(vmOf: (request: Request) => string | undefined): OnVm<Request> {
  return { scope: "vm", role: "operator", ownRole: "user", vmOf };
}
