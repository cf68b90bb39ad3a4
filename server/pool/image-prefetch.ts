/**
 * Images that hosts pull before a VM of them is wanted. Who asked is answered at once; what is left to do stands in the hosts'
 * records, a few hosts at a time do it, and the rest wait for their turn. It ends by itself where it makes no sense any more: the
 * image is there, or its template is gone, revoked, or made of another one.
 */
import type { CommandId, TemplateId, Uid } from "../../shared/ids.ts";
import type { CatalogSource } from "./catalog.ts";
import type { HostRecord } from "./host.ts";
import type { PurgeFailure } from "./image-purge.ts";
import { removalIdOf } from "./orphan.ts";
import { imageKey } from "./shape.ts";
import { isRevoked } from "./template-standing.ts";
import type { PoolView } from "./view.ts";
import type { Architecture } from "./vm.ts";

export interface ImagePrefetch {
  readonly template: TemplateId;
  /** Names the VM that passes through the host for it. */
  readonly uid: Uid;
  /** With the version that was meant when it was asked for. */
  readonly source: CatalogSource;
  readonly architecture: Architecture;
  /** When the host may be told. */
  readonly atMs: number;
  /** The command that does it, once it was sent. */
  readonly commandId?: CommandId | undefined;
  /** Of the step that the host is at, from 0 to 100. */
  readonly percent?: number;
  readonly retryCount: number;
  readonly failure?: PurgeFailure;
  /** It is not tried again before it is asked for again. */
  readonly hasGivenUp?: true;
}

type View = Pick<PoolView, "hosts" | "templates" | "pullingHosts" | "settings" | "contact">;

/** How often one is tried again: each is many GB. */
export const prefetchRetriesMax = 3;

/**
 * The host's prefetches as they should be now, with the next command; nothing if they are so already.
 * @param options.hasTurn whether one host more may pull now.
 */
export function nextPrefetches(
  view: View,
  host: HostRecord,
  { nowMs, hasTurn }: { readonly nowMs: number; readonly hasTurn: boolean },
): Pick<HostRecord, "prefetches" | "removalCount"> | undefined {
  const { prefetches = [], removalCount } = host;
  const wanted = prefetches.filter((prefetch) => isWanted(view, host, prefetch));
  const next = wanted.some(isUnderWay) ? undefined : wanted.find((prefetch) => isDue(prefetch, nowMs));
  if (next !== undefined && hasTurn && isReady(view, host)) {
    const commandId = removalIdOf(host, removalCount + 1);
    const begun = wanted.map((prefetch) => (prefetch === next ? { ...prefetch, commandId } : prefetch));
    return { prefetches: begun, removalCount: removalCount + 1 };
  }
  if (wanted.length === prefetches.length) return undefined;
  return { prefetches: wanted.length === 0 ? undefined : wanted, removalCount };
}

/** How many hosts more may pull now. One that is away takes nobody's turn: its pull may go on, but who knows. */
export function freeTurns(view: View): number {
  let count = 0;
  for (const id of view.pullingHosts) {
    const host = view.hosts.get(id);
    if (host !== undefined && isReady(view, host)) count += 1;
  }
  return view.settings.hosts.parallelPrefetches - count;
}

/** Whether the host was told to pull an image. */
export function isPulling({ prefetches = [] }: HostRecord): boolean {
  return prefetches.some(isUnderWay);
}

/** Whether something is so now that has to do with the turns of hosts: not merely how far one is. */
export function havePrefetchesMoved(before: HostRecord | undefined, after: HostRecord): boolean {
  if (before?.prefetches === undefined && after.prefetches === undefined) return false;
  if (before?.state !== after.state || before.images !== after.images) return true;
  const { prefetches: were = [] } = before;
  const { prefetches: are = [] } = after;
  return (
    were.length !== are.length ||
    are.some((is, index) => is.commandId !== were[index]?.commandId || is.atMs !== were[index]?.atMs)
  );
}

/** When the next of the host's prefetches that failed is tried again; nothing if none is waiting for that. */
export function nextPrefetchMs({ prefetches = [] }: HostRecord): number | undefined {
  const dueMs = prefetches.flatMap((prefetch) => (isWaiting(prefetch) ? prefetch.atMs : []));
  return dueMs.length === 0 ? undefined : Math.min(...dueMs);
}

/** Whether the host shows the image. */
export function hasImage({ images }: HostRecord, { catalogId, version }: CatalogSource): boolean {
  const key = imageKey(catalogId, version);
  return images.some((image) => imageKey(image.catalogId, image.version) === key);
}

/** What is under way is left to end: that the image shows up is part of it. */
function isWanted({ templates }: View, host: HostRecord, prefetch: ImagePrefetch): boolean {
  const template = templates.get(prefetch.template);
  if (template === undefined || isRevoked(template) || template.spec.source.kind !== "catalog") return false;
  const { source } = template.spec;
  const isSame =
    source.catalog === prefetch.source.catalog &&
    imageKey(source.catalogId, "") === imageKey(prefetch.source.catalogId, "");
  return isSame && (isUnderWay(prefetch) || !hasImage(host, prefetch.source));
}

function isReady(view: View, host: HostRecord): boolean {
  return host.state === "READY" && view.contact(host.id)?.isConnected === true;
}

function isUnderWay({ commandId }: ImagePrefetch): boolean {
  return commandId !== undefined;
}

function isWaiting({ commandId, hasGivenUp }: ImagePrefetch): boolean {
  return commandId === undefined && hasGivenUp !== true;
}

function isDue(prefetch: ImagePrefetch, nowMs: number): boolean {
  return isWaiting(prefetch) && prefetch.atMs <= nowMs;
}
