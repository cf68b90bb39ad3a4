/** `template list`, `template get` and `template watch`. */
import { required } from "../../shared/assert.ts";
import { TemplateSchema } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { WatchTemplatesResponseSchema } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption, wideOption } from "../list.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName } from "../verbs.ts";
import { fromRevisionOption, printWatch } from "../watch.ts";
import { templateColumns, templateDetail, templateSource, templateState } from "./views.ts";

export function registerTemplateRead(noun: Program, terminal: Terminal): void {
  noun
    .command("list")
    .summary("list templates")
    .description("Lists templates and how many hosts hold them.")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(wideOption)
    .addOption(quietOption)
    .addHelpText(
      "after",
      examples("template list", "template list -o wide", "template list --filter 'spec.guest_os = GUEST_OS_MACOS'"),
    )
    .action((options, command) =>
      withSession(terminal, command, (session) =>
        printList(session, options, {
          plural: "templates",
          schema: TemplateSchema,
          columns: templateColumns(session.nowMs, options.output === "wide"),
          fetchPage: async (request) => {
            const page = await session.templates.listTemplates(request, session.call);
            return { items: page.templates, nextPageToken: page.nextPageToken };
          },
          nameOf: ({ name }) => name,
          empty: "There are no templates. `meridian template create --help` says how to add one.",
        }),
      ),
    );

  noun
    .command("get")
    .argument("<template...>", "the templates' names")
    .summary("show a template")
    .description("Shows a template in detail: where it comes from, what its VMs get, and which hosts hold it.")
    .addHelpText("after", examples("template get macos-15", "template get macos-15 --json"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("templates", text);
          const message = required((await session.templates.getTemplate({ name }, session.call)).template, "template");
          printResource(session, { schema: TemplateSchema, message }, () => templateDetail(session, message));
        }),
      ),
    );

  noun
    .command("watch")
    .summary("tell of every change of templates")
    .description("Prints a line for every change of a template until interrupted; with --json a line of JSON.")
    .addOption(filterOption)
    .addOption(fromRevisionOption)
    .addHelpText("after", examples("template watch", "template watch --json"))
    .action(({ filter = "", fromRevision = 0n }, command) =>
      withSession(terminal, command, (session) =>
        printWatch(session, WatchTemplatesResponseSchema, {
          events: session.templates.watchTemplates({ filter, fromRevision }, session.stream),
          line: ({ template }) =>
            template && { name: template.name, state: templateState(template), message: templateSource(template) },
        }),
      ),
    );
}
