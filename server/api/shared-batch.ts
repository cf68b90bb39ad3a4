/**
 * What the watchers of one kind of resource are told of the newest batches: made for the first of them, and told to the
 * others as it is, so that a change costs little more with a hundred watchers than with one. Readers ask for it while they
 * read the pool: what is shared was then made at a revision that theirs includes.
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { WatchEventType } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import type { DurableBatch } from "../engine/engine-api.ts";
import type { Affected, ResourceKind } from "./resource-kind.ts";
import type { WatchEvent } from "./watch.ts";

/** One batch, as far as it concerns resources of one kind. */
export class SharedBatch<R extends { readonly id: string }, S extends DescMessage> {
  readonly affected: readonly Affected<R>[];
  private readonly revision: bigint;
  private readonly messages = new Map<R, MessageShape<S>>();
  private readonly events = new Map<MessageShape<S>, Map<WatchEventType, WatchEvent<MessageShape<S>>>>();

  constructor(kind: ResourceKind<R, S>, batch: DurableBatch) {
    this.revision = BigInt(batch.revision);
    this.affected = batch.changes.flatMap((change) => kind.affectedBy(change));
  }

  /** @param convert is called for the first that asks. */
  message(record: R, convert: (record: R) => MessageShape<S>): MessageShape<S> {
    const known = this.messages.get(record);
    if (known !== undefined) return known;
    const message = convert(record);
    this.messages.set(record, message);
    return message;
  }

  /** The same object for all that are told the same. */
  event(type: WatchEventType, resource: MessageShape<S>): WatchEvent<MessageShape<S>> {
    let byType = this.events.get(resource);
    if (byType === undefined) {
      byType = new Map();
      this.events.set(resource, byType);
    }
    const known = byType.get(type);
    if (known !== undefined) return known;
    const event = { type, resource, revision: this.revision };
    byType.set(type, event);
    return event;
  }
}

export class SharedBatches<R extends { readonly id: string }, S extends DescMessage> {
  private readonly kind: ResourceKind<R, S>;
  private readonly changesMax: number;
  /** By revision, the oldest first. */
  private readonly kept = new Map<number, SharedBatch<R, S>>();
  /** A batch counts as one change more than it has: those that concern nobody take memory too. */
  private changeCount = 0;
  private newest = 0;

  /** @param changesMax how many changes are kept for further watchers, at most, besides those of the newest batch. */
  constructor(kind: ResourceKind<R, S>, changesMax: number) {
    this.kind = kind;
    this.changesMax = changesMax;
  }

  /** How many batches are kept. */
  get size(): number {
    return this.kept.size;
  }

  /** A watcher that is far behind shares with nobody: what it reads must not displace what the others need. */
  of(batch: DurableBatch): SharedBatch<R, S> {
    const known = this.kept.get(batch.revision);
    if (known !== undefined) return known;
    const made = new SharedBatch(this.kind, batch);
    if (batch.revision <= this.newest) return made;
    this.newest = batch.revision;
    this.kept.set(batch.revision, made);
    this.changeCount += made.affected.length + 1;
    this.dropOldest();
    return made;
  }

  private dropOldest(): void {
    for (const [revision, batch] of this.kept) {
      if (this.changeCount <= this.changesMax || revision === this.newest) return;
      this.kept.delete(revision);
      this.changeCount -= batch.affected.length + 1;
    }
  }
}
