/**
 * The indexes of what hosts have to do with images: which templates' images are to go, which hosts have any to pull, and whom a
 * change gives something to do. What that is follows from the records alone, see `image-purge.ts` and `image-prefetch.ts`.
 */
import type { HostId, TemplateId } from "../../shared/ids.ts";
import type { Deadlines } from "./deadlines.ts";
import type { HostRecord } from "./host.ts";
import { havePrefetchesMoved, isPulling, nextPrefetchMs } from "./image-prefetch.ts";
import { hasAnyOf, manifestsOf, nextPurgeMs, purgeOf } from "./image-purge.ts";
import type { TemplateRecord } from "./template.ts";

export interface ImageErrandsOptions {
  readonly hosts: ReadonlyMap<HostId, HostRecord>;
  readonly templates: ReadonlyMap<TemplateId, TemplateRecord>;
  readonly deadlines: Deadlines;
  /** A planner is to look at the host. */
  readonly onDue: (host: HostId) => void;
}

export class ImageErrands {
  /** The templates of which hosts remove images. */
  readonly purgingTemplates = new Set<TemplateId>();
  /** The hosts that have images to pull, or have failed to, in the order of asking. */
  readonly prefetchHosts = new Set<HostId>();
  /** Those of them that were told to. */
  readonly pullingHosts = new Set<HostId>();
  /** Whether something changed that has to do with prefetches since a planner last looked. */
  havePrefetchesMoved = false;
  private readonly options: ImageErrandsOptions;

  constructor(options: ImageErrandsOptions) {
    this.options = options;
  }

  followHost(before: HostRecord | undefined, after: HostRecord): void {
    const { id } = after;
    const { deadlines } = this.options;
    const dueMs = [nextPrefetchMs(after), nextPurgeMs(after)].filter((ms) => ms !== undefined);
    for (const ms of dueMs) deadlines.schedule(`host/${id}`, ms);
    put(this.prefetchHosts, id, after.prefetches !== undefined);
    put(this.pullingHosts, id, isPulling(after));
    if (havePrefetchesMoved(before, after)) this.havePrefetchesMoved = true;
  }

  forgetHost(id: HostId): void {
    this.pullingHosts.delete(id);
    if (this.prefetchHosts.delete(id)) this.havePrefetchesMoved = true;
  }

  /** The host came, or went away. */
  followConnection(id: HostId): void {
    if (this.prefetchHosts.has(id)) this.havePrefetchesMoved = true;
  }

  /** What hosts have to remove is due to what all templates are that are made of the same manifests. */
  followTemplate(before: TemplateRecord | undefined, after: TemplateRecord | undefined): void {
    if (before?.spec === after?.spec && before?.standing === after?.standing) return;
    this.havePrefetchesMoved = true;
    if (before !== undefined) this.purgingTemplates.delete(before.id);
    if (after !== undefined && purgeOf(after) !== undefined) this.purgingTemplates.add(after.id);
    const purged = this.purgedManifests();
    const ended = before && purgeOf(before);
    if (ended !== undefined) purged.add(ended.catalogId.toUpperCase());
    const meant = [before, after].flatMap((template) => (template === undefined ? [] : manifestsOf(template)));
    this.lookAtHostsWith(new Set(meant.filter((manifest) => purged.has(manifest))));
  }

  /** It may be another version by now that "latest" stands for. */
  followReading(): void {
    this.lookAtHostsWith(this.purgedManifests());
  }

  /** The manifests of which hosts remove images. */
  private purgedManifests(): Set<string> {
    const templates = [...this.purgingTemplates].flatMap((id) => this.options.templates.get(id) ?? []);
    return new Set(templates.flatMap((template) => purgeOf(template)?.catalogId.toUpperCase() ?? []));
  }

  private lookAtHostsWith(manifests: ReadonlySet<string>): void {
    const { hosts, onDue } = this.options;
    if (manifests.size === 0) return;
    for (const host of hosts.values()) if (hasAnyOf(host, manifests)) onDue(host.id);
  }
}

/** One that is in stays where it is. */
function put(ids: Set<HostId>, id: HostId, isIn: boolean): void {
  if (isIn) ids.add(id);
  else ids.delete(id);
}
