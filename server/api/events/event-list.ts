/**
 * One page of the history. It is read in steps, with others' turns in between, since a filter may have to look at all of it:
 * what has happened does not change meanwhile.
 */
import { type Event, EventSchema } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import type { HistoryPage } from "../../pool/history.ts";
import type { PoolView } from "../../pool/view.ts";
import type { ApiContext } from "../context.ts";
import { type EventPosition, toEvent } from "../convert/event.ts";
import { expressionInvalid } from "../filter/expression-error.ts";
import { compileFilter, type Filter } from "../filter/filter.ts";
import { eventsPerStep } from "../limits.ts";
import type { ListRequest } from "../list/list.ts";
import { readPageSize } from "../list/list.ts";
import { decodePageToken, encodePageToken, type ListParameters } from "../list/page-token.ts";

export interface EventPage {
  readonly events: readonly Event[];
  readonly nextPageToken: string;
  readonly revision: bigint;
  readonly oldestRevision: bigint;
}

/** Whether the caller may see an event. */
export type EventVisibility = (event: Event) => boolean;

/** Throws FIELD_INVALID, EXPRESSION_INVALID, PAGE_TOKEN_INVALID. */
export async function listEvents(
  context: Pick<ApiContext, "engine">,
  request: ListRequest,
  isVisible: EventVisibility,
): Promise<EventPage> {
  const parameters = { collection: "events", filter: request.filter, orderBy: request.orderBy };
  const count = readPageSize(request.pageSize);
  const filter = compileFilter(EventSchema, request.filter);
  const isNewestFirst = readOrder(request.orderBy);
  const found: { readonly event: Event; readonly at: EventPosition }[] = [];
  let after = readPosition(request.pageToken, parameters);
  for (;;) {
    const step = await context.engine.read((view) => readStep(view, after, isNewestFirst));
    for (const { page, index } of step.entries) {
      const entry = page.entries[index];
      const event = entry && toEvent(page, entry, index);
      if (event === undefined || !isVisible(event) || !passes(filter, event)) continue;
      const last = found.at(-1);
      if (found.length === count && last !== undefined) {
        return { ...pageOf(found, step.bounds), nextPageToken: tokenOf(last.at, parameters) };
      }
      found.push({ event, at: { revision: page.revision, index } });
    }
    const last = step.entries.at(-1);
    if (last === undefined) return { ...pageOf(found, step.bounds), nextPageToken: "" };
    after = { revision: last.page.revision, index: last.index };
  }
}

interface Bounds {
  readonly revision: number;
  readonly oldest: number;
}

function pageOf(
  found: readonly { readonly event: Event }[],
  { revision, oldest }: Bounds,
): Omit<EventPage, "nextPageToken"> {
  return { events: found.map(({ event }) => event), revision: BigInt(revision), oldestRevision: BigInt(oldest) };
}

interface Step {
  readonly entries: readonly { readonly page: HistoryPage; readonly index: number }[];
  readonly bounds: Bounds;
}

/** The next entries after a position, as many as one turn may take; none at the end. */
function readStep(view: PoolView, after: EventPosition | undefined, isNewestFirst: boolean): Step {
  const entries: { readonly page: HistoryPage; readonly index: number }[] = [];
  const pages = isNewestFirst
    ? view.history.pagesBackFrom(after?.revision ?? view.revision)
    : view.history.pagesFrom(after?.revision ?? 0);
  for (const page of pages) {
    const isPartly = after?.revision === page.revision;
    const indexes = page.entries.keys();
    for (const index of isNewestFirst ? [...indexes].reverse() : indexes) {
      if (isPartly && (isNewestFirst ? index >= after.index : index <= after.index)) continue;
      entries.push({ page, index });
    }
    if (entries.length >= eventsPerStep) break;
  }
  return { entries, bounds: { revision: view.revision, oldest: view.history.completeAfter } };
}

function passes(filter: Filter | undefined, event: Event): boolean {
  return filter === undefined || filter(event);
}

function readOrder(orderBy: string): boolean {
  const match = /^\s*(?:(?:revision|name|time)(?<direction>\s+asc|\s+desc)?)?\s*$/.exec(orderBy);
  if (match === null) throw expressionInvalid("order_by", 0, 'expected "revision" or "revision desc"');
  return match.groups?.["direction"]?.trim() === "desc";
}

function tokenOf({ revision, index }: EventPosition, parameters: ListParameters): string {
  return encodePageToken({ id: "", keys: [revision, index] }, parameters);
}

function readPosition(token: string, parameters: ListParameters): EventPosition | undefined {
  const position = decodePageToken(token, parameters);
  if (position === undefined) return undefined;
  const [revision, index] = position.keys;
  return { revision: Number(revision ?? 0), index: Number(index ?? 0) };
}
