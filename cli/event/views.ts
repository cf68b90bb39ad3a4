/** How people see events. */
import { type Event, Event_Kind } from "../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { stateTone, type Tone } from "../output/paint.ts";
import type { Column } from "../output/table.ts";
import { isoSeconds } from "../output/time.ts";
import type { WatchLine } from "../watch.ts";

export function eventColumns(isWide: boolean): readonly Column<Event>[] {
  const narrow: readonly Column<Event>[] = [
    { title: "TIME", text: ({ time }) => (time === undefined ? "-" : isoSeconds(time)) },
    { title: "RESOURCE", text: ({ resource }) => resource || "the pool" },
    { title: "WHAT", text: whatHappened, tone: eventTone },
    { title: "WHO", text: whoDidIt },
    { title: "WHY", text: why },
  ];
  if (!isWide) return narrow;
  return [
    ...narrow,
    { title: "HOST", text: ({ host }) => host },
    { title: "PROJECT", text: ({ project }) => project },
    { title: "FROM ADDRESS", text: ({ caller }) => caller?.address ?? "" },
    { title: "REVISION", text: ({ revision }) => String(revision), align: "right" },
  ];
}

export function eventWatchLine(event: Event): WatchLine {
  const who = whoDidIt(event);
  const message = [who === "" ? "" : `by ${who}`, why(event)].filter((part) => part !== "").join(": ");
  return { name: event.resource || "the pool", state: whatHappened(event), message };
}

/** Such as "PLACED", "DiskAboveReserve=false", "CreateVm" or "DeleteVm: PERMISSION_DENIED". */
function whatHappened({ kind, action, to, result, count }: Event): string {
  if (kind !== Event_Kind.AUDIT) return to || action;
  const told = result === "OK" ? action : [action, result].filter((part) => part !== "").join(": ");
  return count > 1 ? `${told} (${count} times)`.trim() : told;
}

function whoDidIt({ caller }: Event): string {
  return caller?.principal ?? "";
}

function why({ reason, message, fields }: Event): string {
  if (fields.length > 0) return `changed ${fields.join(", ")}`;
  return message || reason;
}

function eventTone({ kind, to, result }: Event): Tone {
  if (kind === Event_Kind.AUDIT) return result === "OK" ? "strong" : "bad";
  return stateTone(to);
}
