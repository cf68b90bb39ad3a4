/** Builders of what clients and operators write, with defaults that fit on the default host of `hosts.ts`. */

import type { SettingsUpdate } from "../../../server/pool/events/pool.ts";
import type { RequestKey } from "../../../server/pool/events/request-key.ts";
import type { CatalogCreate, TemplateCreate } from "../../../server/pool/events/templates.ts";
import type { VmCreate, VmWant } from "../../../server/pool/events/vms.ts";
import type { SettingsSpec } from "../../../server/pool/settings/settings.ts";
import type { CatalogSpec, TemplateSpec } from "../../../server/pool/template.ts";
import type { Resources, VmPlacement, VmSpec, WantedState } from "../../../server/pool/vm.ts";
import { asCatalogId, asTemplateId, asUid, asVmId, type Uid } from "../../../shared/ids.ts";

/** The template that the specs ask for unless told otherwise: a Linux golden VM that stands on every default host. */
export const defaultTemplate = asTemplateId("linux");
/** The name of its golden VM. */
export const defaultGoldenVm = "golden-linux";
/** What a VM of it gets unless its spec says otherwise. */
export const defaultResources: Resources = { cpuCount: 2, memoryMib: 4096, diskMib: 20_000 };
/** How long a VM of it may take from powered on to ready. */
export const readinessTimeoutMs = 60_000;

export type VmSpecFields = Partial<Omit<VmSpec, "placement">> & { readonly placement?: Partial<VmPlacement> };

export function vmSpec({ placement, ...fields }: VmSpecFields = {}): VmSpec {
  return {
    project: "default",
    template: defaultTemplate,
    resources: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
    priority: 50,
    wanted: "running",
    pendingTimeoutMs: 0,
    labels: {},
    annotations: {},
    ...fields,
    placement: { required: [], preferred: [], ...placement },
  };
}

/** A spec that asks for so much, and for what the template gives of the rest. */
export function sized(cpuCount: number, memoryMib = 0, diskMib = 0): VmSpecFields {
  return { resources: { cpuCount, memoryMib, diskMib } };
}

/** The uid that the builders give to what has this name: the same in every run. */
export function uidFor(name: string): Uid {
  return asUid(Array.from(Buffer.from(name.padEnd(16, "_").slice(-16)), (byte) => byte.toString(16)).join(""));
}

export interface VmCreateFields extends VmSpecFields {
  /** Default: made from the name. */
  readonly uid?: Uid;
  readonly request?: RequestKey;
}

export function vmCreate(name: string, { uid, request, ...fields }: VmCreateFields = {}): VmCreate {
  return {
    type: "vm-create",
    id: asVmId(name),
    uid: uid ?? uidFor(name),
    spec: vmSpec(fields),
    ...(request === undefined ? {} : { request }),
  };
}

export function vmWant(name: string, wanted: WantedState, fields: Partial<VmWant> = {}): VmWant {
  return { type: "vm-want", id: asVmId(name), wanted, force: false, ...fields };
}

/** @param baseGeneration of the settings that it follows. */
export function settingsUpdate(spec: SettingsSpec, baseGeneration: number): SettingsUpdate {
  return { type: "settings-update", uid: uidFor("settings"), baseGeneration, spec };
}

export function templateSpec(fields: Partial<TemplateSpec> = {}): TemplateSpec {
  return {
    source: { kind: "host-vm", vmName: defaultGoldenVm },
    guestOs: "linux",
    architecture: "arm64",
    resources: defaultResources,
    readiness: { probe: { kind: "guest-tools" }, periodMs: 1000, timeoutMs: readinessTimeoutMs },
    description: "",
    labels: {},
    ...fields,
  };
}

export function templateCreate(name: string, fields: Partial<TemplateSpec> = {}): TemplateCreate {
  return { type: "template-create", id: asTemplateId(name), uid: uidFor(name), spec: templateSpec(fields) };
}

/** A template whose image is pulled from the catalog of that name. */
export function catalogTemplateCreate(
  name: string,
  catalog: string,
  fields: Partial<TemplateSpec> = {},
): TemplateCreate {
  const source = {
    kind: "catalog",
    catalog: asCatalogId(catalog),
    catalogId: name.toUpperCase(),
    version: "v1",
  } as const;
  return templateCreate(name, { source, ...fields });
}

export function catalogCreate(name: string, fields: Partial<CatalogSpec> = {}): CatalogCreate {
  return {
    type: "catalog-create",
    id: asCatalogId(name),
    uid: uidFor(name),
    spec: { url: "http://catalog.test", description: "", ...fields },
  };
}
