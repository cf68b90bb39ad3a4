/** What a VM is really made of: the template as it is when the VM is accepted. */
import { required } from "../../shared/assert.ts";
import { fieldInvalid, MeridianError, notFound } from "../../shared/errors.ts";
import type { TemplateId } from "../../shared/ids.ts";
import { type CatalogSource, findManifest, reasonOf } from "./catalog.ts";
import type { PoolView } from "./view.ts";
import type { Architecture, Resources, VmImage, VmRecord, VmSpec } from "./vm.ts";

/** Throws `MeridianError`: RESOURCE_NOT_FOUND, FIELD_INVALID, STATE_NOT_ALLOWED (a source VM that cannot be copied now). */
export function resolveImage(view: PoolView, spec: VmSpec): VmImage {
  const image = spec.sourceVm === undefined ? templateImage(view, spec) : copiedImage(sourceOf(view, spec));
  const { architecture, host } = spec.placement;
  if (image.source.kind === "clone" && host !== undefined && host !== image.source.host) {
    throw fieldInvalid(
      "spec.placement.host",
      `a copy can be made only where its original stands: hosts/${image.source.host}`,
    );
  }
  if (architecture !== undefined && architecture !== image.architecture) {
    throw fieldInvalid(
      "spec.placement.architecture",
      `the template is for ${image.architecture}, not for ${architecture}`,
    );
  }
  return spec.readiness === undefined ? image : { ...image, readiness: spec.readiness };
}

/** What the VM reserves: what it asks for, and the template's where it does not say. */
export function resolveResources(spec: VmSpec, image: VmImage): Resources {
  return {
    cpuCount: spec.resources.cpuCount || image.resources.cpuCount,
    memoryMib: spec.resources.memoryMib || image.resources.memoryMib,
    diskMib: spec.resources.diskMib || image.resources.diskMib,
  };
}

function templateImage(view: PoolView, spec: VmSpec): VmImage {
  const template = view.templates.get(spec.template);
  if (template === undefined) throw notFound(`templates/${spec.template}`);
  const { source, guestOs, architecture, resources, readiness } = template.spec;
  const image = { guestOs, architecture, resources, readiness };
  if (source.kind === "catalog") {
    const { templateVersion: version = source.version } = spec;
    return { ...image, source: resolveVersion(view, spec.template, { ...source, version }, architecture) };
  }
  if (spec.templateVersion === undefined) return { ...image, source };
  throw fieldInvalid("spec.template", `templates/${spec.template} stands on the hosts and has no versions`);
}

/**
 * The version that is meant, so that a VM is made of the same image wherever and how often it is made. One that the catalog has
 * not shown stays as it is: the host's catalog decides.
 */
function resolveVersion(
  view: PoolView,
  template: TemplateId,
  source: CatalogSource,
  architecture: Architecture,
): CatalogSource {
  const manifest = findManifest(view.catalogs.get(source.catalog), source, architecture);
  if (manifest === undefined) return source;
  if (manifest.state !== "REVOKED") return { ...source, version: manifest.version };
  const resource = `templates/${template}`;
  const reason = reasonOf(manifest, source.catalog);
  throw new MeridianError("TEMPLATE_REVOKED", `${resource} cannot be used: ${reason}; use another version`, {
    resource,
    metadata: { template: resource, reason },
  });
}

function sourceOf(view: PoolView, spec: VmSpec): VmRecord {
  const source = spec.sourceVm === undefined ? undefined : view.vms.get(spec.sourceVm);
  if (source === undefined || source.state === "DELETED") throw notFound(`vms/${spec.sourceVm}`);
  if (source.state !== "STOPPED" || source.sight === undefined) {
    throw new MeridianError("STATE_NOT_ALLOWED", `vms/${source.id} is ${source.state}; stop it before it is copied`, {
      resource: `vms/${source.id}`,
      metadata: { state: source.state, vm: `vms/${source.id}` },
    });
  }
  return source;
}

function copiedImage(source: VmRecord): VmImage {
  const { id, uid } = source;
  const host = required(source.host, "host of a VM that is copied");
  return { ...source.image, resources: source.resources, source: { kind: "clone", vm: id, uid, host } };
}
