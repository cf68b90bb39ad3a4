/** Which template's image is on which host, both ways, for one reading of the pool; built when it is first asked for. */
import type { HostId, TemplateId } from "../../../shared/ids.ts";
import { manifestOf } from "../../pool/catalog.ts";
import type { HostRecord } from "../../pool/host.ts";
import type { ImagePrefetch } from "../../pool/image-prefetch.ts";
import { type ImagePurge, type ImageVersion, isMeant, type PurgeFailure } from "../../pool/image-purge.ts";
import { imageKey } from "../../pool/shape.ts";
import type { TemplateRecord } from "../../pool/template.ts";
import type { PoolView } from "../../pool/view.ts";

/** How far a host is with the removal of images. */
export interface HostPurge {
  readonly host: HostId;
  readonly standing: "purged" | "pending" | "failed";
  /** Of one that failed: why, and when it is tried again, unless it is being tried. */
  readonly failure?: PurgeFailure | undefined;
  readonly retryAtMs?: number | undefined;
}

export class ImageIndex {
  private readonly view: PoolView;
  private templatesByKey: Map<string, TemplateId[]> | undefined;
  private hostsByKey: Map<string, HostId[]> | undefined;

  private prefetchesByTemplate: Map<string, (readonly [HostId, ImagePrefetch])[]> | undefined;
  private purgesByCatalogId: Map<string, (readonly [HostId, ImagePurge])[]> | undefined;

  constructor(view: PoolView) {
    this.view = view;
  }

  /** The templates whose image or golden VM is on the host, sorted. */
  templatesOn(host: HostRecord): readonly TemplateId[] {
    this.templatesByKey ??= groupBy(this.view.templates.values(), (template) => [this.keyOf(template), template.id]);
    const found = new Set<TemplateId>();
    for (const key of hostKeys(host)) for (const id of this.templatesByKey.get(key) ?? []) found.add(id);
    return [...found].sort();
  }

  /** The hosts that have the template's image or golden VM, sorted. */
  hostsWith(template: TemplateRecord): readonly HostId[] {
    this.hostsByKey ??= groupBy(hostEntries(this.view.hosts.values()), (entry) => entry);
    return [...new Set(this.hostsByKey.get(this.keyOf(template)) ?? [])].sort();
  }

  /** The hosts that have its image to pull, or have failed to, in the order of asking. */
  prefetchesOf(template: TemplateId): readonly (readonly [HostId, ImagePrefetch])[] {
    this.prefetchesByTemplate ??= groupBy(prefetchEntries(this.view), (entry) => [entry[1].template, entry]);
    return this.prefetchesByTemplate.get(template) ?? [];
  }

  /** As `hostKeys` says it; of "latest" what that is now, if it is known. */
  private keyOf(template: TemplateRecord): string {
    const { source } = template.spec;
    if (source.kind !== "catalog") return `vm ${source.vmName}`;
    return `image ${imageKey(source.catalogId, manifestOf(this.view, template)?.version ?? source.version)}`;
  }

  /** The hosts that have removed what is meant, or have to, sorted. */
  purgesOf(wanted: ImageVersion): readonly HostPurge[] {
    this.purgesByCatalogId ??= groupBy(purgeEntries(this.view.hosts.values()), (entry) => [
      entry[1].catalogId.toUpperCase(),
      entry,
    ]);
    const found = new Map<HostId, ImagePurge>();
    for (const [host, purge] of this.purgesByCatalogId.get(wanted.catalogId.toUpperCase()) ?? []) {
      const other = found.get(host);
      if (isMeant(wanted, purge) && (other === undefined || lagOf(purge) > lagOf(other))) found.set(host, purge);
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([host, purge]) => toHostPurge(host, purge));
  }
}

/** How far behind it is: what failed is furthest. */
function lagOf({ isDone, failure }: ImagePurge): number {
  return isDone === true ? 0 : failure === undefined ? 1 : 2;
}

function toHostPurge(host: HostId, { isDone, failure, commandId, atMs }: ImagePurge): HostPurge {
  if (isDone === true) return { host, standing: "purged" };
  if (failure === undefined) return { host, standing: "pending" };
  return { host, standing: "failed", failure, retryAtMs: commandId === undefined ? atMs : undefined };
}

function* prefetchEntries(view: PoolView): Generator<readonly [HostId, ImagePrefetch]> {
  for (const id of view.prefetchHosts)
    for (const prefetch of view.hosts.get(id)?.prefetches ?? []) yield [id, prefetch];
}

function* purgeEntries(hosts: Iterable<HostRecord>): Generator<readonly [HostId, ImagePurge]> {
  for (const { id, imagePurges = [] } of hosts) for (const purge of imagePurges) yield [id, purge];
}

function* hostKeys(host: HostRecord): Generator<string> {
  for (const image of host.images) yield `image ${imageKey(image.catalogId, image.version)}`;
  for (const vm of host.foreignVms) yield `vm ${vm.name}`;
}

function* hostEntries(hosts: Iterable<HostRecord>): Generator<readonly [string, HostId]> {
  for (const host of hosts) for (const key of hostKeys(host)) yield [key, host.id];
}

function groupBy<T, V>(items: Iterable<T>, entryOf: (item: T) => readonly [string, V]): Map<string, V[]> {
  const groups = new Map<string, V[]>();
  for (const item of items) {
    const [key, value] = entryOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
