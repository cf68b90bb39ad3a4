/** `meridian token list, get`. */
import { required } from "../../shared/assert.ts";
import {
  type JoinToken,
  JoinTokenSchema,
  JoinTokenStatus_StateSchema,
} from "../../shared/gen/es/meridian/v1/join_token_pb.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption } from "../list.ts";
import type { Column } from "../output/table.ts";
import { age, moment } from "../output/time.ts";
import type { Program } from "../program-type.ts";
import { detailView, printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { enumName } from "../values/enum.ts";
import { formatLabels } from "../values/label.ts";
import { resourceName, shortName } from "../values/name.ts";
import { examples, forEachName } from "../verbs.ts";
import { printAccountTokens } from "./account-tokens.ts";

export function registerTokenRead(noun: Program, terminal: Terminal): void {
  noun
    .command("list")
    .summary("list tokens")
    .description(
      "Lists join tokens, or with --service-account the tokens of one account, or with --service-accounts of all. Those that " +
        "have ended are listed for a week. Their secrets are kept nowhere.",
    )
    .option("--service-account <account>", "the tokens of this service account")
    .option("--service-accounts", "the tokens of all service accounts")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(quietOption)
    .addHelpText(
      "after",
      examples(
        "token list",
        "token list --filter 'status.state = ACTIVE'",
        "token list --service-account ci",
        "token list --service-accounts --order-by status.expire_time",
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, (session) => {
        const { serviceAccount, serviceAccounts } = options;
        if (serviceAccount !== undefined || serviceAccounts === true) {
          return printAccountTokens(session, options, serviceAccount);
        }
        return printList(session, options, {
          plural: "joinTokens",
          schema: JoinTokenSchema,
          columns: columns(session.nowMs),
          fetchPage: async (request) => {
            const page = await session.access.listJoinTokens(request, session.call);
            return { items: page.joinTokens, nextPageToken: page.nextPageToken };
          },
          nameOf: ({ name }) => name,
          empty: "There are no join tokens. `meridian token create --join` makes one.",
        });
      }),
    );

  noun
    .command("get")
    .argument("<token...>", "the tokens' names")
    .summary("show a join token")
    .description("Shows a join token and what became of it, without its secret.")
    .addHelpText("after", examples("token get join-k3v5q2"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("joinTokens", text);
          const answer = await session.access.getJoinToken({ name }, session.call);
          const message = required(answer.joinToken, "join token in the answer");
          printResource(session, { schema: JoinTokenSchema, message }, () => detail(session, message));
        }),
      ),
    );
}

function columns(nowMs: number): readonly Column<JoinToken>[] {
  return [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "STATE", text: stateOf },
    { title: "USES", text: usesOf, align: "right" },
    { title: "HOSTS", text: ({ spec }) => spec?.hostPattern ?? "" },
    { title: "ENDS", text: ({ status }) => moment(status?.expireTime, nowMs) },
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "LABELS", text: ({ spec }) => formatLabels(spec?.labels ?? {}) },
  ];
}

function detail(session: Session, token: JoinToken): string {
  const { name, spec, status, createTime } = token;
  const { nowMs } = session;
  return detailView(session)
    .heading(name, stateOf(token), "plain")
    .sentence(spec?.description ?? "")
    .facts([
      ["Uses", usesOf(token)],
      ["Hosts", spec?.hostPattern ?? ""],
      ["Labels", formatLabels(spec?.labels ?? {})],
      ["Made", moment(createTime, nowMs)],
      ["Ends", moment(status?.expireTime, nowMs)],
      ["Last used", moment(status?.lastUseTime, nowMs)],
      ["Revoked", moment(status?.revokeTime, nowMs)],
    ])
    .toString();
}

function stateOf({ status }: JoinToken): string {
  return status === undefined ? "" : enumName(JoinTokenStatus_StateSchema, status.state);
}

function usesOf({ spec, status }: JoinToken): string {
  return `${status?.useCount ?? 0}/${spec?.maxUses ?? 1}`;
}
