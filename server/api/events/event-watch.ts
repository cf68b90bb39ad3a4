/**
 * A watch of the history: what is kept after a revision, however old, then each new page as it becomes durable. It is read
 * in steps, so that a reader from far behind holds nobody up.
 */

import { MeridianError } from "../../../shared/errors.ts";
import type { Event } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { EventSchema } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import type { HistoryPage } from "../../pool/history.ts";
import type { ApiContext } from "../context.ts";
import { toEvent } from "../convert/event.ts";
import { compileFilter } from "../filter/filter.ts";
import { eventsPerStep } from "../limits.ts";
import { followBatches, readFromRevision } from "../watch.ts";
import type { EventVisibility } from "./event-list.ts";

export interface EventWatchRequest {
  readonly filter: string;
  readonly fromRevision: bigint;
  readonly signal: AbortSignal;
  readonly isVisible: EventVisibility;
}

/** An event, or how far the watcher has come without one. */
export interface ToldEvent {
  readonly event?: Event;
  readonly revision: number;
}

/** Throws EXPRESSION_INVALID, FIELD_INVALID, REVISION_TOO_OLD, WATCHER_TOO_SLOW; the signal's reason when it is aborted. */
export async function* watchEvents(
  context: Pick<ApiContext, "engine" | "clock">,
  request: EventWatchRequest,
): AsyncGenerator<ToldEvent, undefined> {
  const filter = compileFilter(EventSchema, request.filter);
  const eventsOf = function* (page: HistoryPage): Generator<ToldEvent> {
    for (const [index, entry] of page.entries.entries()) {
      const event = toEvent(page, entry, index);
      if (!request.isVisible(event) || (filter !== undefined && !filter(event))) continue;
      yield { event, revision: page.revision };
    }
  };
  let revision = readFromRevision(request.fromRevision);
  for (;;) {
    request.signal.throwIfAborted();
    const step = await readKept(context, revision);
    for (const page of step.pages) yield* eventsOf(page);
    ({ revision } = step);
    if (step.isLast) break;
  }
  yield { revision };
  yield* followBatches<ToldEvent>(context, {
    fromRevision: revision,
    signal: request.signal,
    eventsOf: ({ changes }) =>
      changes.flatMap((change) => (change.kind === "history" && change.after ? [...eventsOf(change.after)] : [])),
    bookmark: (reached) => ({ revision: reached }),
  });
}

interface KeptStep {
  readonly pages: readonly HistoryPage[];
  /** Up to which everything has been read. */
  readonly revision: number;
  readonly isLast: boolean;
}

function readKept(context: Pick<ApiContext, "engine">, after: number): Promise<KeptStep> {
  return context.engine.read((view) => {
    const { history } = view;
    // From 0 on means: all that is kept.
    if (after !== 0 && after < history.completeAfter) throw tooOld(after, history.completeAfter);
    if (after > view.revision) throw notReached(after, view.revision);
    const pages: HistoryPage[] = [];
    let count = 0;
    for (const page of history.pagesFrom(after + 1)) {
      pages.push(page);
      count += page.entries.length;
      if (count >= eventsPerStep) return { pages, revision: page.revision, isLast: false };
    }
    return { pages, revision: view.revision, isLast: true };
  });
}

function tooOld(revision: number, oldest: number): MeridianError {
  return new MeridianError(
    "REVISION_TOO_OLD",
    `events are kept only after revision ${oldest}, and ${revision} is older; begin there, or with 0 for all`,
    { metadata: { revision: String(revision), oldest: String(oldest) } },
  );
}

/** The revision of another pool, or of one that was restored from a backup. */
function notReached(revision: number, newest: number): MeridianError {
  return new MeridianError(
    "REVISION_TOO_OLD",
    `revision ${revision} has not been reached here, only ${newest}; begin with 0 for all`,
    { metadata: { revision: String(revision), newest: String(newest) } },
  );
}
