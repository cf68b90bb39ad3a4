/** Events as clients see them. */
import { create } from "@bufbuild/protobuf";
import { type Event, Event_Kind, EventSchema } from "../../../shared/gen/es/meridian/v1/event_service_pb.ts";
import type { HistoryEntry, HistoryPage } from "../../pool/history.ts";
import { toTimestamp } from "./time.ts";

/** @param index the entry's place in its page, from 0. */
export function toEvent(page: HistoryPage, entry: HistoryEntry, index: number): Event {
  return create(EventSchema, {
    name: eventName({ revision: page.revision, index }),
    time: toTimestamp(entry.timeMs),
    revision: BigInt(page.revision),
    kind: entry.kind === "audit" ? Event_Kind.AUDIT : Event_Kind.LIFECYCLE,
    action: entry.action,
    resource: entry.resource,
    resourceUid: entry.resourceUid ?? "",
    project: entry.project ?? "",
    host: entry.host ?? "",
    from: entry.from ?? "",
    to: entry.to ?? "",
    reason: entry.reason ?? "",
    message: entry.message ?? "",
    ...(entry.caller === undefined ? {} : { caller: { ...entry.caller } }),
    result: entry.kind === "audit" ? (entry.code ?? "OK") : "",
    fields: [...(entry.fields ?? [])],
    count: entry.kind === "audit" ? (entry.count ?? 1) : 0,
  });
}

/** Where an event stands: in which revision, and the how-manieth of it, from 0. */
export interface EventPosition {
  readonly revision: number;
  readonly index: number;
}

export function eventName({ revision, index }: EventPosition): string {
  return `events/${revision}-${index}`;
}
