/** How people see templates. */

import { RoleSchema } from "../../shared/gen/es/meridian/v1/service_account_pb.ts";
import {
  type CatalogManifest,
  type Template,
  type TemplateAccess,
  TemplateStatus_State,
  TemplateStatus_StateSchema,
} from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { ArchitectureSchema, GuestOsSchema } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { stateTone } from "../output/paint.ts";
import type { Column } from "../output/table.ts";
import { age, moment } from "../output/time.ts";
import { detailView, type Session } from "../session.ts";
import { enumName, enumWord } from "../values/enum.ts";
import { formatLabels } from "../values/label.ts";
import { shortName } from "../values/name.ts";
import { formatReadiness } from "../values/readiness.ts";
import { formatResources } from "../values/resources.ts";
import { formatPrefetch, formatPurge } from "./image-view.ts";

export function templateState({ status }: Template): string {
  return enumName(TemplateStatus_StateSchema, status?.state ?? TemplateStatus_State.UNSPECIFIED);
}

/** Where the image comes from, in a few words. */
export function templateSource({ spec }: Template): string {
  const source = spec?.source;
  if (source?.case === "catalog") {
    const { catalog, catalogId, version } = source.value;
    return `${catalog}: ${catalogId} ${version || "latest"}`;
  }
  return source?.case === "hostVm" ? `VM "${source.value.vmName}" on the hosts` : "-";
}

export function templateColumns(nowMs: number, isWide: boolean): readonly Column<Template>[] {
  const narrow: readonly Column<Template>[] = [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "STATE", text: templateState, tone: (template) => stateTone(templateState(template)) },
    { title: "OS", text: ({ spec }) => enumWord(GuestOsSchema, spec?.guestOs ?? 0) || "-" },
    { title: "ARCH", text: ({ spec }) => enumWord(ArchitectureSchema, spec?.architecture ?? 0) || "-" },
    { title: "HOSTS", text: ({ status }) => String(status?.hosts.length ?? 0), align: "right" },
    { title: "VMS", text: ({ status }) => String(status?.vmCount ?? 0), align: "right" },
    { title: "SOURCE", text: templateSource },
  ];
  if (!isWide) return narrow;
  return [
    ...narrow,
    { title: "RESOURCES", text: ({ spec }) => formatResources(spec?.resources) },
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "LABELS", text: ({ spec }) => formatLabels(spec?.labels ?? {}) },
    { title: "DESCRIPTION", text: ({ spec }) => spec?.description ?? "" },
  ];
}

export function templateDetail(session: Session, template: Template): string {
  const { spec, status } = template;
  const state = templateState(template);
  const guest = [enumWord(GuestOsSchema, spec?.guestOs ?? 0), enumWord(ArchitectureSchema, spec?.architecture ?? 0)];
  return detailView(session)
    .heading(template.name, state, stateTone(state))
    .sentence(spec?.description ?? "")
    .facts([
      ["Why", formatStanding(session, template)],
      ["Images", status?.purge === undefined ? "" : formatPurge(status.purge)],
      ["Source", templateSource(template)],
      ["Made of", formatManifest(status?.manifest)],
      ["Guest", guest.filter((word) => word !== "").join(" on ")],
      ["Resources", formatResources(spec?.resources)],
      ["Ready when", spec?.readiness === undefined ? "Parallels Tools answer" : formatReadiness(spec.readiness)],
      ["Labels", formatLabels(spec?.labels ?? {})],
      ["Open to", formatAccess(spec?.access)],
      ["On hosts", formatHosts(status?.hosts ?? [])],
      ["Being pulled", status?.prefetch === undefined ? "" : formatPrefetch(status.prefetch)],
      ["VMs", String(status?.vmCount ?? 0)],
      ["Made", moment(template.createTime, session.nowMs)],
    ])
    .toString();
}

/** Why it is tainted or revoked, by whom, and since when. */
function formatStanding(session: Session, { status }: Template): string {
  if (status === undefined || status.reason === "") return "";
  const stops = status.stopsRunning ? "; its VMs are stopped" : "";
  return `${status.reason} (${status.changedBy}, ${moment(status.stateTime, session.nowMs)})${stops}`;
}

/** Such as "v3, for USER of the catalog"; nothing if it is not known. */
function formatManifest(manifest: CatalogManifest | undefined): string {
  if (manifest === undefined) return "";
  const needs = [...manifest.requiredRoles, ...manifest.requiredClaims];
  return needs.length === 0 ? manifest.version : `${manifest.version}, in the catalog for ${needs.join(", ")}`;
}

/** Such as "operator in ios, web"; nothing if it is open to everybody. */
function formatAccess(access: TemplateAccess | undefined): string {
  if (access === undefined) return "";
  const roles = access.roles.map((role) => enumWord(RoleSchema, role)).join(" or ");
  const projects = access.projects.join(", ");
  return [roles || "everybody", projects].filter((word) => word !== "").join(" in ");
}

/** Such as "3: mac-1, mac-2, mac-3"; of many only the first ones. */
function formatHosts(hosts: readonly string[]): string {
  if (hosts.length === 0) return "none";
  const named = hosts.slice(0, hostsNamedMax).map(shortName).join(", ");
  return `${hosts.length}: ${named}${hosts.length > hostsNamedMax ? ", …" : ""}`;
}

/** About a line's worth; --json has all. */
const hostsNamedMax = 5;
