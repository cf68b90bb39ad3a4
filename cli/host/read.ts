/** `host list`, `host get` and `host watch`. */
import { required } from "../../shared/assert.ts";
import { HostSchema } from "../../shared/gen/es/meridian/v1/host_pb.ts";
import { WatchHostsResponseSchema } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption, wideOption } from "../list.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName } from "../verbs.ts";
import { fromRevisionOption, printWatch } from "../watch.ts";
import { hostColumns, hostDetail, hostSentence, hostState } from "./views.ts";

export function registerHostRead(noun: Program, terminal: Terminal): void {
  noun
    .command("list")
    .summary("list hosts")
    .description("Lists the Macs of the pool, with what is taken of what they have.")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(wideOption)
    .addOption(quietOption)
    .addHelpText("after", examples("host list", "host list -o wide", "host list --filter 'status.placeable = false'"))
    .action((options, command) =>
      withSession(terminal, command, (session) =>
        printList(session, options, {
          plural: "hosts",
          schema: HostSchema,
          columns: hostColumns(session.nowMs, options.output === "wide"),
          fetchPage: async (request) => {
            const page = await session.hosts.listHosts(request, session.call);
            return { items: page.hosts, nextPageToken: page.nextPageToken };
          },
          nameOf: ({ name }) => name,
          empty: "There are no hosts. `meridian agent` on a Mac brings it into the pool.",
        }),
      ),
    );

  noun
    .command("get")
    .argument("<host...>", "the hosts' names")
    .summary("show a host and its conditions")
    .description("Shows a host in detail: what it is, what is taken of it, and which of its conditions hold.")
    .addHelpText("after", examples("host get mac-1", "host get mac-1 --json"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const { host } = await session.hosts.getHost({ name: resourceName("hosts", text) }, session.call);
          const message = required(host, "host in the answer");
          printResource(session, { schema: HostSchema, message }, () => hostDetail(session, message));
        }),
      ),
    );

  noun
    .command("watch")
    .summary("tell of every change of hosts")
    .description("Prints a line for every change of a host until interrupted; with --json a line of JSON.")
    .addOption(filterOption)
    .addOption(fromRevisionOption)
    .addHelpText("after", examples("host watch", "host watch --json"))
    .action(({ filter = "", fromRevision = 0n }, command) =>
      withSession(terminal, command, (session) =>
        printWatch(session, WatchHostsResponseSchema, {
          events: session.hosts.watchHosts({ filter, fromRevision }, session.stream),
          line: ({ host }) => host && { name: host.name, state: hostState(host), message: hostSentence(host) },
        }),
      ),
    );
}
