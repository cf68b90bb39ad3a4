/**
 * The removal of a revoked template's images from the caches of hosts. What has to go is a function of what the templates are
 * and what the host was last seen to have, so that no host escapes it by being away, and nothing is left of it when a template
 * is restored. How far a host is stands in its record: the command that removes an image is sent again in each session until
 * the host says that it is gone, and an image that comes back (a pull that nothing could take back) is removed again.
 */
import type { CommandId, TemplateId } from "../../shared/ids.ts";
import { manifestOf } from "./catalog.ts";
import type { HostRecord } from "./host.ts";
import { removalsPerHostMax } from "./limits.ts";
import { removalIdOf } from "./orphan.ts";
import { imageKey } from "./shape.ts";
import type { TemplateRecord } from "./template.ts";
import { isRevoked } from "./template-standing.ts";
import type { PoolView } from "./view.ts";

/** One version of a manifest, in whatever catalog: a host's cache does not say from where it has it. */
export interface ImageVersion {
  readonly catalogId: string;
  /** In a template also "latest": any of them. */
  readonly version: string;
}

/** An image that a host has removed, or has to. */
export interface ImagePurge extends ImageVersion {
  /** When the host is told; of one that is done: since when. */
  readonly atMs: number;
  /** The command that removes it, once it was sent. */
  readonly commandId?: CommandId | undefined;
  /** How often its removal has failed, and why it did so last. */
  readonly retryCount: number;
  readonly failure?: PurgeFailure;
  readonly isDone?: true;
}

export interface PurgeFailure {
  readonly reason: string;
  readonly message: string;
  readonly timeMs: number;
}

type Templates = Pick<PoolView, "templates" | "catalogs" | "purgingTemplates">;

/** What its revocation removes of the template; nothing if it does not. */
export function purgeOf({ standing }: Pick<TemplateRecord, "standing">): ImageVersion | undefined {
  return standing?.state === "REVOKED" ? standing.purges : undefined;
}

/** The ids of the manifests that the template is made of or removes. */
export function manifestsOf(template: TemplateRecord): readonly string[] {
  const { source } = template.spec;
  const removed = purgeOf(template);
  return [
    ...(source.kind === "catalog" ? [source.catalogId.toUpperCase()] : []),
    ...(removed === undefined ? [] : [removed.catalogId.toUpperCase()]),
  ];
}

/** Whether the host has, or has to remove, an image of one of the manifests. */
export function hasAnyOf({ images, imagePurges = [] }: HostRecord, manifests: ReadonlySet<string>): boolean {
  const isOne = ({ catalogId }: ImageVersion): boolean => manifests.has(catalogId.toUpperCase());
  return images.some(isOne) || imagePurges.some(isOne);
}

/** Whether an image that a host has is one that the template, or its revocation, means. */
export function isMeant(wanted: ImageVersion, image: ImageVersion): boolean {
  return isSameManifest(wanted, image) && (wanted.version === latest || wanted.version === image.version);
}

/** The templates that are not revoked and are, or may be, made of what is to go, sorted. */
export function keptFor(view: Pick<PoolView, "templates" | "catalogs">, wanted: ImageVersion): readonly TemplateId[] {
  return [...view.templates.values()]
    .filter((template) => {
      const { source } = template.spec;
      if (source.kind !== "catalog" || isRevoked(template)) return false;
      const image = { catalogId: source.catalogId, version: manifestOf(view, template)?.version ?? source.version };
      return isMeant(image, wanted) || isMeant(wanted, image);
    })
    .map(({ id }) => id)
    .sort();
}

/** The host's removals as they should be now, with the next commands; nothing if they are so already. */
export function nextPurges(
  view: Templates,
  host: HostRecord,
  nowMs: number,
): Pick<HostRecord, "imagePurges" | "removalCount"> | undefined {
  const known = host.imagePurges ?? [];
  if (known.length === 0 && view.purgingTemplates.size === 0) return undefined;
  let { removalCount } = host;
  let underWay = 0;
  const wanted = wantedPurges(view, host, nowMs);
  for (const { commandId } of wanted) if (commandId !== undefined) underWay += 1;
  const next = wanted.map((purge): ImagePurge => {
    if (!isDue(purge, nowMs) || underWay >= removalsPerHostMax) return purge;
    underWay += 1;
    removalCount += 1;
    return { ...purge, commandId: removalIdOf(host, removalCount) };
  });
  const isSame = next.length === known.length && next.every((purge, index) => purge === known[index]);
  return isSame ? undefined : { removalCount, imagePurges: next.length === 0 ? undefined : next };
}

/** When the next of the host's removals that failed is tried again; nothing if none is waiting for that. */
export function nextPurgeMs({ imagePurges = [] }: HostRecord): number | undefined {
  const dueMs = imagePurges.flatMap((purge) => (isWaiting(purge) ? purge.atMs : []));
  return dueMs.length === 0 ? undefined : Math.min(...dueMs);
}

/** Those that are still wanted, and those of images that are there and should not be. */
function wantedPurges(view: Templates, { images, imagePurges = [] }: HostRecord, nowMs: number): readonly ImagePurge[] {
  const shown = new Map(images.map(({ catalogId, version }) => [imageKey(catalogId, version), { catalogId, version }]));
  const kept = imagePurges.flatMap((purge) => {
    if (!isToGo(view, purge)) return [];
    const isBack = shown.delete(imageKey(purge.catalogId, purge.version)) && purge.isDone === true;
    return isBack ? begun(purge, nowMs) : purge;
  });
  const added = [...shown.values()].filter((image) => isToGo(view, image));
  return [...kept, ...added.map((image) => begun(image, nowMs))];
}

function begun({ catalogId, version }: ImageVersion, nowMs: number): ImagePurge {
  return { catalogId, version, atMs: nowMs, retryCount: 0 };
}

function isToGo(view: Templates, image: ImageVersion): boolean {
  for (const id of view.purgingTemplates) {
    const template = view.templates.get(id);
    const purge = template === undefined ? undefined : purgeOf(template);
    if (purge !== undefined && isMeant(purge, image)) return keptFor(view, image).length === 0;
  }
  return false;
}

function isDue(purge: ImagePurge, nowMs: number): boolean {
  return isWaiting(purge) && purge.atMs <= nowMs;
}

function isWaiting({ commandId, isDone }: ImagePurge): boolean {
  return commandId === undefined && isDone !== true;
}

function isSameManifest(a: ImageVersion, b: ImageVersion): boolean {
  return imageKey(a.catalogId, "") === imageKey(b.catalogId, "");
}

const latest = "latest";
