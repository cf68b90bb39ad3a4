/**
 * The shape of a VM: all that placement's filters look at. VMs of one shape fit on the same hosts, so that one answer
 * serves all of them, and VMs that fit nowhere wait together.
 */
import type { HostId } from "../../shared/ids.ts";
import type { LabelExpression } from "./labels.ts";
import type { Architecture, Resources, VmRecord } from "./vm.ts";

/** What a VM of a shape takes. */
export type ShapeSize = Pick<Shape, "resources" | "isMacos">;

export interface Shape {
  /** Equal for equal shapes. */
  readonly key: string;
  readonly architecture: Architecture;
  readonly resources: Resources;
  readonly isMacos: boolean;
  /** Only this host. */
  readonly host?: HostId;
  readonly required: readonly LabelExpression[];
  /** The golden VM that a host must have, for templates that stand on the hosts. */
  readonly goldenVm?: string;
  /** The image that a host pulls unless it has it, for templates from a catalog: `catalogId/version`. */
  readonly image?: string;
}

export function shapeOf({ spec, image, resources }: Pick<VmRecord, "spec" | "image" | "resources">): Shape {
  const { source } = image;
  const host = source.kind === "clone" ? source.host : spec.placement.host;
  const shape = {
    architecture: image.architecture,
    resources,
    isMacos: image.guestOs === "macos",
    required: spec.placement.required,
    ...(host === undefined ? {} : { host }),
    ...(source.kind === "host-vm" ? { goldenVm: source.vmName } : {}),
    ...(source.kind === "catalog" ? { image: imageKey(source.catalogId, source.version) } : {}),
  };
  return { key: JSON.stringify(shape), ...shape };
}

/** Catalog ids are upper-case in catalogs, however they are written here. */
export function imageKey(catalogId: string, version: string): string {
  return `${catalogId.toUpperCase()}/${version}`;
}
