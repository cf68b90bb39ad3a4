/** `meridian project`: whose VMs are whose, their shares of the pool and their quotas. */
import { required } from "../shared/assert.ts";
import { ProjectSchema } from "../shared/gen/es/meridian/v1/project_pb.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption } from "./list.ts";
import type { Program } from "./program-type.ts";
import { registerProjectChange } from "./project/change.ts";
import { projectColumns, projectDetail } from "./project/views.ts";
import { printResource, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { resourceName } from "./values/name.ts";
import { examples, forEachName } from "./verbs.ts";

export function registerProject(program: Program, terminal: Terminal): void {
  const noun = program
    .command("project")
    .summary("share the pool between projects")
    .description(
      "Keeps the projects that VMs belong to. One that was never created has weight 1 and no quota: VMs may name it all the same.",
    );
  registerProjectChange(noun, terminal);

  noun
    .command("list")
    .summary("list projects")
    .description("Lists projects with what they hold.")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(quietOption)
    .addHelpText("after", examples("project list", "project list --filter 'status.waiting_vms > 0'"))
    .action((options, command) =>
      withSession(terminal, command, (session) =>
        printList(session, options, {
          plural: "projects",
          schema: ProjectSchema,
          columns: projectColumns(session.nowMs),
          fetchPage: async (request) => {
            const page = await session.access.listProjects(request, session.call);
            return { items: page.projects, nextPageToken: page.nextPageToken };
          },
          nameOf: ({ name }) => name,
          empty:
            "No project has been created. `meridian project create --help` says how to give one a share or a quota.",
        }),
      ),
    );

  noun
    .command("get")
    .argument("<project...>", "the projects' names")
    .summary("show a project")
    .description("Shows a project: what it holds, and of how much.")
    .addHelpText("after", examples("project get acme"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("projects", text);
          const message = required((await session.access.getProject({ name }, session.call)).project, "project");
          printResource(session, { schema: ProjectSchema, message }, () => projectDetail(session, message));
        }),
      ),
    );
}
