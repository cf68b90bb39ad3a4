/** `meridian account`: service accounts, which let programs in. */
import { required } from "../shared/assert.ts";
import { type ServiceAccount, ServiceAccountSchema } from "../shared/gen/es/meridian/v1/service_account_pb.ts";
import { registerAccountChange } from "./account/change.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption } from "./list.ts";
import type { Column } from "./output/table.ts";
import { age, moment } from "./output/time.ts";
import type { Program } from "./program-type.ts";
import { detailView, printResource, type Session, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { resourceName, shortName } from "./values/name.ts";
import { formatRoles } from "./values/role.ts";
import { examples, forEachName } from "./verbs.ts";

export function registerAccount(program: Program, terminal: Terminal): void {
  const noun = program
    .command("account")
    .summary("say which programs may do what")
    .description(
      "Keeps service accounts: programs that may call the server, each with its roles. `meridian token create` makes what one " +
        "proves itself with.",
    );
  registerAccountChange(noun, terminal);

  noun
    .command("list")
    .summary("list service accounts")
    .description("Lists service accounts with their roles.")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(quietOption)
    .addHelpText("after", examples("account list", "account list --filter 'spec.disabled = true'"))
    .action((options, command) =>
      withSession(terminal, command, (session) =>
        printList(session, options, {
          plural: "serviceAccounts",
          schema: ServiceAccountSchema,
          columns: columns(session.nowMs),
          fetchPage: async (request) => {
            const page = await session.access.listServiceAccounts(request, session.call);
            return { items: page.serviceAccounts, nextPageToken: page.nextPageToken };
          },
          nameOf: ({ name }) => name,
          empty: "There are no service accounts. `meridian account create --help` says how to make one.",
        }),
      ),
    );

  noun
    .command("get")
    .argument("<account...>", "the accounts' names")
    .summary("show a service account")
    .description("Shows a service account: its roles, and when it was last used.")
    .addHelpText("after", examples("account get ci"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("serviceAccounts", text);
          const { serviceAccount } = await session.access.getServiceAccount({ name }, session.call);
          const message = required(serviceAccount, "account in the answer");
          printResource(session, { schema: ServiceAccountSchema, message }, () => detail(session, message));
        }),
      ),
    );
}

function columns(nowMs: number): readonly Column<ServiceAccount>[] {
  return [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "STATE", text: stateOf },
    { title: "TOKENS", text: ({ status }) => String(status?.tokenCount ?? 0), align: "right" },
    { title: "LAST USED", text: ({ status }) => moment(status?.lastUseTime, nowMs) },
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "ROLES", text: ({ spec }) => formatRoles(spec?.bindings ?? []) },
    { title: "FOR", text: ({ spec }) => spec?.description ?? "" },
  ];
}

function detail(session: Session, account: ServiceAccount): string {
  const { name, spec, status, createTime, updateTime } = account;
  const { nowMs } = session;
  return detailView(session)
    .heading(name, stateOf(account), "plain")
    .sentence(spec?.description ?? "")
    .facts([
      ["Roles", formatRoles(spec?.bindings ?? [])],
      ["Tokens", String(status?.tokenCount ?? 0)],
      ["Last used", moment(status?.lastUseTime, nowMs)],
      ["Made", moment(createTime, nowMs)],
      ["Changed", moment(updateTime, nowMs)],
    ])
    .toString();
}

function stateOf({ spec }: ServiceAccount): string {
  return spec?.disabled === true ? "DISABLED" : "ENABLED";
}
