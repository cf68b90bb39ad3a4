/**
 * One page of a list. Without a filter and in the default order only the resources of the page are converted; otherwise
 * all are, since both look at what clients see.
 */
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../../shared/errors.ts";
import type { PoolView } from "../../pool/view.ts";
import type { ApiContext } from "../context.ts";
import { compileFilter } from "../filter/filter.ts";
import { pageBytesMax, pageSize } from "../limits.ts";
import type { ResourceKind } from "../resource-kind.ts";
import { compileOrder, type Order, type SortKey } from "./order.ts";
import { decodePageToken, encodePageToken, type ListParameters, type PagePosition } from "./page-token.ts";
import { smallest } from "./smallest.ts";

/** What all list requests have. */
export interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

/** What of a collection a caller may see. */
export interface Visibility<R> {
  /** Absent: all of it. */
  readonly isVisible?: ((record: R) => boolean) | undefined;
}

export interface Page<T> {
  readonly resources: T[];
  readonly nextPageToken: string;
  /** The revision that it was read at. */
  readonly revision: bigint;
}

/** Throws FIELD_INVALID, EXPRESSION_INVALID, PAGE_TOKEN_INVALID. */
export function listResources<R extends { readonly id: string }, S extends DescMessage>(
  context: Pick<ApiContext, "engine">,
  kind: ResourceKind<R, S>,
  { isVisible, ...request }: ListRequest & Visibility<R>,
): Promise<Page<MessageShape<S>>> {
  const parameters = { collection: kind.collection, filter: request.filter, orderBy: request.orderBy };
  const query: Query = {
    count: readPageSize(request.pageSize),
    filter: compileFilter(kind.schema, request.filter),
    order: compileOrder(kind.schema, request.orderBy),
    after: decodePageToken(request.pageToken, parameters),
  };
  return context.engine.read((view) => {
    const candidates = readCandidates(view, context.engine.nowMs(), { kind, query, isVisible });
    return makePage(kind.schema, candidates, { query, parameters, revision: view.revision });
  });
}

interface Query {
  readonly count: number;
  readonly filter: ReturnType<typeof compileFilter>;
  readonly order: Order | undefined;
  readonly after: PagePosition | undefined;
}

interface Candidate<M> {
  readonly id: string;
  readonly keys: readonly SortKey[];
  message(): M;
}

/** How many resources a page shall hold. Throws FIELD_INVALID. */
export function readPageSize(requested: number): number {
  if (requested < 0 || requested > pageSize.most) {
    throw fieldInvalid("page_size", `must be from 0 (which means ${pageSize.default}) to ${pageSize.most}`);
  }
  return requested === 0 ? pageSize.default : requested;
}

/** The page's resources in order, and one more if there is one. */
function readCandidates<R extends { readonly id: string }, S extends DescMessage>(
  view: PoolView,
  nowMs: number,
  { kind, query, isVisible }: { readonly kind: ResourceKind<R, S>; readonly query: Query } & Visibility<R>,
): Candidate<MessageShape<S>>[] {
  const convert = kind.converter(view, nowMs);
  const { filter, order, after } = query;
  const compare = (a: PagePosition, b: PagePosition): number =>
    order?.compare(a.keys, b.keys) || compareTexts(a.id, b.id);
  const matching = function* (): Generator<Candidate<MessageShape<S>>> {
    for (const record of kind.records(view).values()) {
      if (isVisible !== undefined && !isVisible(record)) continue;
      if (filter === undefined && order === undefined) {
        const candidate = { id: record.id, keys: [], message: () => convert(record) };
        if (after === undefined || compareTexts(record.id, after.id) > 0) yield candidate;
        continue;
      }
      const message = convert(record);
      if (filter !== undefined && !filter(message)) continue;
      const candidate = { id: record.id, keys: order?.keysOf(message) ?? [], message: () => message };
      if (after === undefined || compare(candidate, after) > 0) yield candidate;
    }
  };
  return smallest(matching(), query.count + 1, compare);
}

function makePage<S extends DescMessage>(
  schema: S,
  candidates: readonly Candidate<MessageShape<S>>[],
  from: { readonly query: Query; readonly parameters: ListParameters; readonly revision: number },
): Page<MessageShape<S>> {
  const resources: MessageShape<S>[] = [];
  let bytes = 0;
  let last: PagePosition | undefined;
  for (const candidate of candidates) {
    const message = candidate.message();
    bytes += toBinary(schema, message).byteLength;
    const isFull = resources.length === from.query.count || (bytes > pageBytesMax && resources.length > 0);
    if (isFull && last !== undefined) {
      return { resources, nextPageToken: encodePageToken(last, from.parameters), revision: BigInt(from.revision) };
    }
    resources.push(message);
    last = candidate;
  }
  return { resources, nextPageToken: "", revision: BigInt(from.revision) };
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
