/** Templates: read from requests with every field checked, and written into answers. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CatalogSource,
  type HostVmSource,
  type ImagePrefetch as ImagePrefetchMessage,
  ImagePrefetchSchema,
  type ImagePurge as ImagePurgeMessage,
  ImagePurgeSchema,
  type Template,
  TemplateSchema,
  type TemplateSpec as TemplateSpecMessage,
  type TemplateSpecSchema,
  TemplateStatus_State,
} from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import type { HostId } from "../../../shared/ids.ts";
import { manifestOf } from "../../pool/catalog.ts";
import { etagOf } from "../../pool/etag.ts";
import type { ImagePrefetch } from "../../pool/image-prefetch.ts";
import { keptFor, purgeOf } from "../../pool/image-purge.ts";
import type {
  TemplateAccess,
  TemplateRecord,
  TemplateSource,
  TemplateSpec,
  TemplateStanding,
} from "../../pool/template.ts";
import type { PoolView } from "../../pool/view.ts";
import type { Readiness } from "../../pool/vm.ts";
import type { FieldChecks } from "../field-checks.ts";
import {
  accessProjectsMax,
  accessRolesMax,
  descriptionLengthMax,
  foreignNameLengthMax,
  probePeriodMs,
  probeTimeoutSeconds,
  projectLengthMax,
} from "../limits.ts";
import { checkName, nameOf } from "../resource-name.ts";
import { toManifest } from "./catalog.ts";
import { architectures, guestSystems, requiredWord } from "./enums.ts";
import type { HostPurge, ImageIndex } from "./image-index.ts";
import { healthOf } from "./quarantine.ts";
import { roleValues } from "./service-account.ts";
import { toTimestamp } from "./time.ts";
import { type Field, readLabels, readReadiness, readResources, toReadiness } from "./types.ts";

export function toTemplate(view: PoolView, template: TemplateRecord, images: ImageIndex): Template {
  const manifest = manifestOf(view, template);
  return create(TemplateSchema, {
    name: nameOf("templates", template.id),
    uid: template.uid,
    spec: toTemplateSpec(template.spec),
    status: {
      ...toStanding(template.standing),
      hosts: images.hostsWith(template).map((id) => nameOf("hosts", id)),
      vmCount: view.countVmsOf(template.id),
      ...(manifest === undefined ? {} : { manifest: toManifest(manifest) }),
      ...toPrefetch(images.prefetchesOf(template.id)),
      ...toPurge(view, template, images),
      ...healthOf(template, view.settings),
    },
    generation: BigInt(template.generation),
    createTime: toTimestamp(template.createTimeMs),
    updateTime: toTimestamp(template.updateTimeMs),
    etag: etagOf(template),
  });
}

function toStanding(standing: TemplateStanding | undefined) {
  if (standing === undefined) return { state: TemplateStatus_State.ACTIVE };
  const { state, reason, by, timeMs, stopsRunning = false } = standing;
  return {
    state: TemplateStatus_State[state],
    reason,
    changedBy: by,
    stateTime: toTimestamp(timeMs),
    stopsRunning,
  };
}

function toPrefetch(hosts: readonly (readonly [HostId, ImagePrefetch])[]): {
  readonly prefetch?: ImagePrefetchMessage;
} {
  if (hosts.length === 0) return {};
  const waiting = hosts.filter(([, { commandId, failure }]) => commandId === undefined && failure === undefined);
  return {
    prefetch: create(ImagePrefetchSchema, {
      waitingHosts: waiting.map(([id]) => nameOf("hosts", id)),
      pullingHosts: hosts.flatMap(([id, { commandId, percent = 0 }]) =>
        commandId === undefined ? [] : { host: nameOf("hosts", id), percent },
      ),
      failedHosts: hosts.flatMap(([id, { commandId, failure, hasGivenUp, atMs }]) =>
        commandId !== undefined || failure === undefined
          ? []
          : {
              host: nameOf("hosts", id),
              reason: failure.reason,
              message: failure.message,
              time: toTimestamp(failure.timeMs),
              ...(hasGivenUp === true ? {} : { retryTime: toTimestamp(atMs) }),
            },
      ),
    }),
  };
}

function toPurge(view: PoolView, template: TemplateRecord, images: ImageIndex): { readonly purge?: ImagePurgeMessage } {
  const wanted = purgeOf(template);
  if (wanted === undefined) return {};
  const hosts = images.purgesOf(wanted);
  const named = (standing: HostPurge["standing"]): string[] =>
    hosts.flatMap((purge) => (purge.standing === standing ? nameOf("hosts", purge.host) : []));
  const purgedHosts = named("purged");
  return {
    purge: create(ImagePurgeSchema, {
      image: `${wanted.catalogId} ${wanted.version}`,
      purgedHosts,
      pendingHosts: named("pending"),
      failedHosts: hosts.flatMap(({ host, standing, failure, retryAtMs }) =>
        standing !== "failed"
          ? []
          : {
              host: nameOf("hosts", host),
              reason: failure?.reason ?? "",
              message: failure?.message ?? "",
              ...(failure === undefined ? {} : { time: toTimestamp(failure.timeMs) }),
              ...(retryAtMs === undefined ? {} : { retryTime: toTimestamp(retryAtMs) }),
            },
      ),
      keptFor: keptFor(view, wanted).map((id) => nameOf("templates", id)),
      done: purgedHosts.length === hosts.length,
    }),
  };
}

export function toTemplateSpec(spec: TemplateSpec): MessageInitShape<typeof TemplateSpecSchema> {
  const { source } = spec;
  return {
    source:
      source.kind === "catalog"
        ? {
            case: "catalog",
            value: {
              catalog: nameOf("catalogs", source.catalog),
              catalogId: source.catalogId,
              version: source.version,
            },
          }
        : { case: "hostVm", value: { vmName: source.vmName } },
    guestOs: guestSystems[spec.guestOs],
    architecture: architectures[spec.architecture],
    resources: { ...spec.resources },
    readiness: toReadiness(spec.readiness),
    description: spec.description,
    labels: { ...spec.labels },
    ...(spec.access === undefined
      ? {}
      : {
          access: {
            projects: [...spec.access.projects],
            roles: spec.access.roles.map((role) => roleValues[role]),
          },
        }),
  };
}

/** @param field such as `template.spec`; the faults found are in `checks`. */
export function readTemplateSpec(checks: FieldChecks, field: Field<TemplateSpecMessage>): TemplateSpec {
  const { path, value: spec } = field;
  const guestOsField = { path: `${path}.guest_os`, value: spec.guestOs };
  const access = readAccess(checks, { path: `${path}.access`, value: spec.access });
  const architectureField = { path: `${path}.architecture`, value: spec.architecture };
  return {
    source: readSource(checks, { path, value: spec.source }),
    // What stands in for a missing word never leaves: the fault is already in `checks`.
    guestOs: requiredWord(checks, guestOsField, guestSystems) ?? "linux",
    architecture: requiredWord(checks, architectureField, architectures) ?? "arm64",
    resources: readResources(checks, { path: `${path}.resources`, value: spec.resources }, "refused"),
    readiness: readReadiness(checks, { path: `${path}.readiness`, value: spec.readiness }) ?? guestToolsAnswer,
    description: checks.text(`${path}.description`, spec.description, {
      lengthMax: descriptionLengthMax,
      canBeEmpty: true,
      canHaveLines: true,
    }),
    labels: readLabels(checks, { path: `${path}.labels`, value: spec.labels }),
    ...(access === undefined ? {} : { access }),
  };
}

/** That everybody may is said by leaving it out, however it came. */
function readAccess(
  checks: FieldChecks,
  { path, value }: Field<TemplateSpecMessage["access"]>,
): TemplateAccess | undefined {
  if (value === undefined || (value.projects.length === 0 && value.roles.length === 0)) return undefined;
  checks.count(`${path}.projects`, value.projects.length, accessProjectsMax);
  checks.count(`${path}.roles`, value.roles.length, accessRolesMax);
  const projects = value.projects
    .slice(0, accessProjectsMax)
    .map((project, index) => checks.text(`${path}.projects[${index}]`, project, { lengthMax: projectLengthMax }));
  const roles = value.roles
    .slice(0, accessRolesMax)
    .map(
      (role, index) => requiredWord(checks, { path: `${path}.roles[${index}]`, value: role }, roleValues) ?? "admin",
    );
  return { projects: [...new Set(projects)], roles: [...new Set(roles)] };
}

const guestToolsAnswer: Readiness = {
  probe: { kind: "guest-tools" },
  periodMs: probePeriodMs.default,
  timeoutMs: probeTimeoutSeconds.default * 1000,
};

function readSource(checks: FieldChecks, field: Field<TemplateSpecMessage["source"]>): TemplateSource {
  const { path, value: source } = field;
  switch (source.case) {
    case "catalog":
      return readCatalogSource(checks, { path: `${path}.catalog`, value: source.value });
    case "hostVm":
      return readHostVmSource(checks, { path: `${path}.host_vm`, value: source.value });
    case undefined:
      checks.refuse(`${path}.source`, "must be set: catalog or host_vm");
      return { kind: "host-vm", vmName: "" };
    default:
      return source satisfies never;
  }
}

/** What can stand in the address of a manifest: the agent puts both into one. */
const manifestPartPattern = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,127})$/;
const manifestPartDescription = 'letters, digits, ".", "_" and "-", at most 128, beginning with a letter or digit';

function readCatalogSource(checks: FieldChecks, field: Field<CatalogSource>): TemplateSource {
  const { path, value: source } = field;
  const version = source.version === "" ? "latest" : source.version;
  return {
    kind: "catalog",
    catalog: checkName(checks, "catalogs", { path: `${path}.catalog`, value: source.catalog }),
    catalogId: checks.pattern(`${path}.catalog_id`, source.catalogId, manifestPartPattern, manifestPartDescription),
    version: checks.pattern(`${path}.version`, version, manifestPartPattern, manifestPartDescription),
  };
}

function readHostVmSource(checks: FieldChecks, field: Field<HostVmSource>): TemplateSource {
  const vmName = checks.text(`${field.path}.vm_name`, field.value.vmName, { lengthMax: foreignNameLengthMax });
  return { kind: "host-vm", vmName };
}
