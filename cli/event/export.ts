/** `meridian event export`: the history as lines of JSON, for archives and other systems. */
import { toJson } from "@bufbuild/protobuf";
import { EventSchema } from "../../shared/gen/es/meridian/v1/event_service_pb.ts";
import { filterOption } from "../list.ts";
import type { Program } from "../program-type.ts";
import { type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { examples } from "../verbs.ts";
import { fromRevisionOption } from "../watch.ts";

export function registerEventExport(noun: Program, terminal: Terminal): void {
  noun
    .command("export")
    .summary("print events as lines of JSON")
    .description(
      "Prints every event that is kept as a line of JSON, the oldest first. The server keeps a bounded history: run this " +
        "regularly with --from-revision to keep more, or leave `event watch --json` running.",
    )
    .addOption(filterOption)
    .addOption(fromRevisionOption)
    .addHelpText(
      "after",
      examples("event export > events.jsonl", "event export --from-revision 4711 --filter 'kind = AUDIT'"),
    )
    .action(({ filter = "", fromRevision = 0n }, command) =>
      withSession(terminal, command, (session) => exportEvents(session, filter, fromRevision)),
    );
}

async function exportEvents(session: Session, filter: string, fromRevision: bigint): Promise<void> {
  const { stdout, stderr } = session.terminal;
  const sought = [filter === "" ? "" : `(${filter})`, fromRevision === 0n ? "" : `revision > ${fromRevision}`];
  const request = { pageSize: 1000, filter: sought.filter((part) => part !== "").join(" AND "), orderBy: "" };
  let pageToken = "";
  let revision = 0n;
  do {
    const page = await session.events.listEvents({ ...request, pageToken }, session.call);
    if (fromRevision !== 0n && fromRevision < page.oldestRevision) {
      stderr.write(
        `Events are kept only after revision ${page.oldestRevision}: some since ${fromRevision} are missing.\n`,
      );
    }
    for (const event of page.events) stdout.write(`${JSON.stringify(toJson(EventSchema, event))}\n`);
    await stdout.drained();
    // What was there when the export began; what comes meanwhile may be in it too.
    if (revision === 0n) ({ revision } = page);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  stderr.write(`Go on later with --from-revision ${revision}.\n`);
}
