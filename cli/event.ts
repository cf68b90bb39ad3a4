/** `meridian event`: what happened in the pool, and who changed what. */

import { type Event, EventSchema, WatchEventsResponseSchema } from "../shared/gen/es/meridian/v1/event_service_pb.ts";
import { WatchEventType } from "../shared/gen/es/meridian/v1/types_pb.ts";
import { registerEventExport } from "./event/export.ts";
import { eventColumns, eventWatchLine } from "./event/views.ts";
import { filterOption, limitOption, printList, quietOption, wideOption } from "./list.ts";
import type { Program } from "./program-type.ts";
import { withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { examples } from "./verbs.ts";
import { fromRevisionOption, printWatch } from "./watch.ts";

export function registerEvent(program: Program, terminal: Terminal): void {
  const noun = program
    .command("event")
    .summary("tell what happened, and who changed what")
    .description("Tells what happened in the pool: the moves of hosts and VMs, and who changed what.");
  registerList(noun, terminal);
  registerWatch(noun, terminal);
  registerEventExport(noun, terminal);
}

function registerList(noun: Program, terminal: Terminal): void {
  noun
    .command("list")
    .summary("list the newest events")
    .description("Lists events in their order, the newest last; --limit says how many of the newest.")
    .addOption(filterOption)
    .addOption(limitOption)
    .addOption(wideOption)
    .addOption(quietOption)
    .addHelpText(
      "after",
      examples(
        "event list --limit 50",
        "event list --filter 'resource = \"vms/build-7\"'",
        "event list --filter 'kind = AUDIT AND result != OK' -o wide",
        "event list --filter 'kind = AUDIT AND caller.principal = \"serviceAccounts/ci\"'",
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        const newest: Event[] = [];
        let pageToken = "";
        do {
          const pageSize = Math.min(1000, options.limit - newest.length);
          const request = { pageSize, pageToken, filter: options.filter ?? "", orderBy: "revision desc" };
          const page = await session.events.listEvents(request, session.call);
          newest.push(...page.events);
          pageToken = page.nextPageToken;
        } while (pageToken !== "" && newest.length < options.limit);
        await printList(session, options, {
          plural: "events",
          schema: EventSchema,
          columns: eventColumns(options.output === "wide"),
          fetchPage: () => Promise.resolve({ items: newest.reverse(), nextPageToken: "" }),
          nameOf: ({ name }) => name,
          empty: "There are no such events.",
        });
      }),
    );
}

function registerWatch(noun: Program, terminal: Terminal): void {
  noun
    .command("watch")
    .summary("tell of everything that happens")
    .description(
      "Prints a line for every event until interrupted: those that are kept first, or with --from-revision only later ones. " +
        "With --json each is a line of JSON.",
    )
    .addOption(filterOption)
    .addOption(fromRevisionOption)
    .addHelpText("after", examples("event watch --filter 'kind = AUDIT'", "event watch --from-revision 4711 --json"))
    .action(({ filter = "", fromRevision = 0n }, command) =>
      withSession(terminal, command, (session) =>
        printWatch(session, WatchEventsResponseSchema, {
          events: session.events.watchEvents({ filter, fromRevision }, session.stream),
          line: ({ type, event }) =>
            type === WatchEventType.ADDED && event !== undefined ? eventWatchLine(event) : undefined,
        }),
      ),
    );
}
