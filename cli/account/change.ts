/** `meridian account create, update, delete`. */
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { ServiceAccountSchema } from "../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { resourceName } from "../values/name.ts";
import { collectRole, inProject } from "../values/role.ts";
import { examples, forEachName } from "../verbs.ts";

/** Each verb needs one of its own: commander keeps in it what was said. */
export function roleOption() {
  return new Option(
    "--role <role[@project]>",
    "viewer, user, operator or admin, in a project or everywhere; may be repeated",
  ).argParser(collectRole);
}

const projectFlag = "--project <project>";
const projectMeaning = "where, for roles that name no project themselves";

export function registerAccountChange(noun: Program, terminal: Terminal): void {
  noun
    .command("create")
    .summary("create a service account")
    .description("Creates a service account, which has no token yet.")
    .option("--id <id>", "the name's last part (default: the server makes one)")
    .addOption(roleOption())
    .option(projectFlag, projectMeaning)
    .option("--description <text>", "for people")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new")
    .addHelpText(
      "after",
      examples("account create --id ci --role user --project acme", "account create --role user@acme --role viewer"),
    )
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        const { id = "", role = [], project, description = "", requestId = "" } = options;
        const bindings = inProject(role, project).map((binding) => ({ ...binding }));
        const { serviceAccount } = await session.access.createServiceAccount(
          { serviceAccount: { spec: { description, bindings } }, serviceAccountId: id, requestId },
          session.call,
        );
        const message = required(serviceAccount, "account in the answer");
        printResource(session, { schema: ServiceAccountSchema, message }, () => `${message.name}\n`);
      }),
    );

  noun
    .command("update")
    .argument("<account>", "the account's name")
    .summary("change a service account")
    .description(
      "Changes what the flags say and nothing else, at once: what goes on with the account's tokens ends if it may no longer. " +
        "Roles that are given take the place of all that it had.",
    )
    .addOption(roleOption())
    .option(projectFlag, projectMeaning)
    .option("--no-roles", "take all roles away")
    .option("--description <text>", "for people")
    .addOption(new Option("--disable", "refuse its tokens").conflicts("enable"))
    .option("--enable", "take them again")
    .addHelpText("after", examples("account update ci --role operator@acme", "account update ci --disable"))
    .action((text, options, command) =>
      withSession(terminal, command, async (session) => {
        const name = resourceName("serviceAccounts", text);
        const { role, roles, project, description, disable, enable } = options;
        const bindings = roles ? role && inProject(role, project) : [];
        const isSwitched = disable === true || enable === true;
        const paths = [
          ...(bindings === undefined ? [] : ["spec.bindings"]),
          ...(description === undefined ? [] : ["spec.description"]),
          ...(isSwitched ? ["spec.disabled"] : []),
        ];
        if (paths.length === 0)
          throw wrongUsage("nothing to change", "`meridian account update --help` lists what can be.");
        const spec = {
          ...(bindings !== undefined && { bindings: bindings.map((binding) => ({ ...binding })) }),
          ...(description !== undefined && { description }),
          ...(isSwitched && { disabled: disable === true }),
        };
        const { serviceAccount } = await session.access.updateServiceAccount(
          { serviceAccount: { name, spec }, updateMask: { paths } },
          session.call,
        );
        const message = required(serviceAccount, "account in the answer");
        printResource(session, { schema: ServiceAccountSchema, message }, () => `${message.name} updated\n`);
      }),
    );

  noun
    .command("delete")
    .argument("<account...>", "the accounts' names")
    .summary("delete a service account with its tokens")
    .description("Deletes a service account with its tokens. Its VMs stay.")
    .addHelpText("after", examples("account delete ci"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("serviceAccounts", text);
          await session.access.deleteServiceAccount({ name }, session.call);
          if (!session.isJson) terminal.stdout.write(`${name} deleted\n`);
        }),
      ),
    );
}
