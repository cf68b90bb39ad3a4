/**
 * Watches: the present state if asked for, then every durable change, without a gap. With a filter, a resource that begins
 * to match is ADDED and one that no longer does is DELETED. When nothing is to be told for a while, a BOOKMARK says how far
 * the watcher has come.
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fieldInvalid } from "../../shared/errors.ts";
import { WatchEventType } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import type { DurableBatch } from "../engine/engine-api.ts";
import type { ApiContext } from "./context.ts";
import { compileFilter, type Filter } from "./filter/filter.ts";
import { bookmarkPeriodMs, sharedChangesMax, watchChunk } from "./limits.ts";
import type { Visibility } from "./list/list.ts";
import type { Affected, ResourceKind } from "./resource-kind.ts";
import { serverClosing } from "./rpc/active-calls.ts";
import { type SharedBatch, SharedBatches } from "./shared-batch.ts";

export interface WatchEvent<M> {
  readonly type: WatchEventType;
  /** Absent in a BOOKMARK. */
  readonly resource?: M;
  readonly revision: bigint;
}

export interface WatchRequest {
  readonly filter: string;
  readonly fromRevision: bigint;
}

/** The watches of one kind of resource: what they tell of a change is made once for all of them. */
export class Watches<R extends { readonly id: string }, S extends DescMessage> {
  private readonly context: WatchContext;
  private readonly kind: ResourceKind<R, S>;
  private readonly shared: SharedBatches<R, S>;

  constructor(context: WatchContext, kind: ResourceKind<R, S>) {
    this.context = context;
    this.kind = kind;
    this.shared = new SharedBatches(kind, sharedChangesMax);
  }

  /** Throws EXPRESSION_INVALID, FIELD_INVALID, REVISION_TOO_OLD, WATCHER_TOO_SLOW; the signal's reason when it is aborted. */
  async *watch(
    request: WatchRequest & Visibility<R> & { readonly signal: AbortSignal },
  ): AsyncGenerator<WatchEvent<MessageShape<S>>, undefined> {
    const { context, kind, shared } = this;
    const filter = compileFilter(kind.schema, request.filter);
    const watch = new Watch({ context, kind, shared }, { filter, isVisible: request.isVisible });
    const { signal } = request;
    let revision = readFromRevision(request.fromRevision);
    if (request.fromRevision === 0n) {
      const present = await watch.readPresent();
      revision = present.revision;
      yield* watch.presentState(present.records, { revision, signal });
      yield bookmark(revision);
    }
    yield* watch.changes(revision, signal);
  }
}

type WatchContext = Pick<ApiContext, "engine" | "clock">;

/** The revision that a watch shall begin after; 0: with the present state. Throws FIELD_INVALID. */
export function readFromRevision(fromRevision: bigint): number {
  if (fromRevision < 0n || fromRevision > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw fieldInvalid("from_revision", "must be 0, or the revision of an answer of this server");
  }
  return Number(fromRevision);
}

class Watch<R extends { readonly id: string }, S extends DescMessage> {
  private readonly context: WatchContext;
  private readonly kind: ResourceKind<R, S>;
  private readonly shared: SharedBatches<R, S>;
  private readonly filter: Filter | undefined;
  private readonly isVisible: (record: R) => boolean;
  /** With a filter: whether the watcher knows of a resource. Absent: it was not met yet, and its former record decides. */
  private readonly isShown = new Map<string, boolean>();

  constructor(
    of: {
      readonly context: WatchContext;
      readonly kind: ResourceKind<R, S>;
      readonly shared: SharedBatches<R, S>;
    },
    { filter, isVisible }: { readonly filter: Filter | undefined } & Visibility<R>,
  ) {
    this.context = of.context;
    this.kind = of.kind;
    this.shared = of.shared;
    this.filter = filter;
    this.isVisible = isVisible ?? (() => true);
  }

  readPresent(): Promise<{ readonly records: readonly R[]; readonly revision: number }> {
    return this.context.engine.read((view) => ({
      records: [...this.kind.records(view).values()].filter(this.isVisible).sort((a, b) => (a.id < b.id ? -1 : 1)),
      revision: view.revision,
    }));
  }

  async *presentState(
    records: readonly R[],
    { revision, signal }: { readonly revision: number; readonly signal: AbortSignal },
  ): AsyncGenerator<WatchEvent<MessageShape<S>>, undefined> {
    for (let start = 0; start < records.length; start += watchChunk) {
      signal.throwIfAborted();
      const chunk = records.slice(start, start + watchChunk);
      const messages = await this.context.engine.read((view) =>
        chunk.map(this.kind.converter(view, this.context.engine.nowMs())),
      );
      for (const [index, message] of messages.entries()) {
        const matches = this.filter?.(message) ?? true;
        const id = chunk[index]?.id;
        if (this.filter !== undefined && id !== undefined) this.isShown.set(id, matches);
        if (matches) yield { type: WatchEventType.ADDED, resource: message, revision: BigInt(revision) };
      }
    }
  }

  async *changes(fromRevision: number, signal: AbortSignal): AsyncGenerator<WatchEvent<MessageShape<S>>, undefined> {
    const eventsOf = (batch: DurableBatch): Promise<WatchEvent<MessageShape<S>>[]> => this.eventsOf(batch);
    yield* followBatches(this.context, { fromRevision, signal, eventsOf, bookmark });
  }

  private async eventsOf(batch: DurableBatch): Promise<WatchEvent<MessageShape<S>>[]> {
    const shared = this.shared.of(batch);
    if (shared.affected.length === 0) return [];
    return this.context.engine.read((view) => {
      const fresh = this.kind.converter(view, this.context.engine.nowMs());
      const convert = (record: R): MessageShape<S> => shared.message(record, fresh);
      const derived = new Set<string>();
      const events: WatchEvent<MessageShape<S>>[] = [];
      for (const change of shared.affected) {
        const told = "isDerived" in change ? sameRecord(change, this.kind.records(view), derived) : change;
        const isTold = told !== undefined && this.isSeen(told);
        const event = isTold ? this.eventOf(told, convert, shared) : undefined;
        if (event !== undefined) events.push(event);
      }
      return events;
    });
  }

  /** Whether what may be seen of a resource does not change: to whom it belongs is settled when it is made. */
  private isSeen({ before, after }: Change<R>): boolean {
    const record = after ?? before;
    return record !== undefined && this.isVisible(record);
  }

  private eventOf(
    change: Change<R>,
    convert: (record: R) => MessageShape<S>,
    shared: SharedBatch<R, S>,
  ): WatchEvent<MessageShape<S>> | undefined {
    const { id, before, after } = change;
    const message = after === undefined ? undefined : convert(after);
    const matches = message !== undefined && (this.filter?.(message) ?? true);
    const wasShown = this.wasShown(id, before, convert);
    if (this.filter !== undefined) {
      if (after === undefined) this.isShown.delete(id);
      else this.isShown.set(id, matches);
    }
    if (matches) return shared.event(wasShown ? WatchEventType.UPDATED : WatchEventType.ADDED, message);
    const last = message ?? (before === undefined ? undefined : convert(before));
    return wasShown && last !== undefined ? shared.event(WatchEventType.DELETED, last) : undefined;
  }

  private wasShown(id: string, before: R | undefined, convert: (record: R) => MessageShape<S>): boolean {
    if (this.filter === undefined) return before !== undefined;
    return this.isShown.get(id) ?? (before !== undefined && this.filter(convert(before)));
  }
}

interface Change<R> {
  readonly id: string;
  readonly before: R | undefined;
  readonly after: R | undefined;
}

/** A resource whose record did not change, as it is; once a batch, and not at all if it is gone. */
function sameRecord<R>(change: Affected<R>, records: ReadonlyMap<string, R>, told: Set<string>): Change<R> | undefined {
  const record = records.get(change.id);
  if (record === undefined || told.has(change.id)) return undefined;
  told.add(change.id);
  return { id: change.id, before: record, after: record };
}

function bookmark(revision: number): { readonly type: WatchEventType; readonly revision: bigint } {
  return { type: WatchEventType.BOOKMARK, revision: BigInt(revision) };
}

/** What a watch makes of the durable batches that it follows. */
export interface BatchFollower<E> {
  readonly fromRevision: number;
  readonly signal: AbortSignal;
  readonly eventsOf: (batch: DurableBatch) => Promise<readonly E[]> | readonly E[];
  /** Says how far the watcher has come when nothing was told for `bookmarkPeriodMs`. */
  readonly bookmark: (revision: number) => E;
}

/** Follows the batches after a revision. Throws as a watch does. */
export async function* followBatches<E>(
  { engine, clock }: Pick<ApiContext, "engine" | "clock">,
  { fromRevision, signal, eventsOf, bookmark }: BatchFollower<E>,
): AsyncGenerator<E, undefined> {
  const batches = engine.follow(fromRevision, signal)[Symbol.asyncIterator]();
  let revision = fromRevision;
  let toldAtMs = clock.monotonicMs();
  let next = batches.next();
  try {
    for (;;) {
      const idleMs = clock.monotonicMs() - toldAtMs;
      const result = await within(clock, next, bookmarkPeriodMs - idleMs);
      if (result === undefined) {
        toldAtMs = clock.monotonicMs();
        yield bookmark(revision);
        continue;
      }
      signal.throwIfAborted();
      // The engine ends what follows it when it closes.
      if (result.done === true) throw serverClosing();
      for (const event of await eventsOf(result.value)) {
        toldAtMs = clock.monotonicMs();
        yield event;
      }
      ({ revision } = result.value);
      next = batches.next();
    }
  } finally {
    // A reader that leaves must not leave a step behind that nobody awaits.
    next.catch(() => undefined);
    await batches.return?.();
  }
}

/** The result, or undefined after `delayMs`. */
async function within<T>(clock: ApiContext["clock"], result: Promise<T>, delayMs: number): Promise<T | undefined> {
  const elapsed = Promise.withResolvers<undefined>();
  const timer = clock.after(Math.max(0, delayMs), () => elapsed.resolve(undefined));
  try {
    return await Promise.race([result, elapsed.promise]);
  } finally {
    timer.cancel();
  }
}
