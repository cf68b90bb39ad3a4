/** Lists the tokens of service accounts. */
import {
  type Token,
  TokenSchema,
  TokenStatus_StateSchema,
} from "../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { type ListOptions, printList } from "../list.ts";
import type { Column } from "../output/table.ts";
import { age, moment } from "../output/time.ts";
import type { Session } from "../session.ts";
import { enumName } from "../values/enum.ts";
import { resourceName, shortName } from "../values/name.ts";

/** @param account absent: of all. */
export function printAccountTokens(session: Session, options: ListOptions, account: string | undefined): Promise<void> {
  const name = account === undefined ? undefined : resourceName("serviceAccounts", account);
  const filters = [
    ...(name === undefined ? [] : [`spec.service_account = ${JSON.stringify(name)}`]),
    ...(options.filter === undefined ? [] : [`(${options.filter})`]),
  ];
  return printList(
    session,
    { ...options, filter: filters.join(" AND ") },
    {
      plural: "tokens",
      schema: TokenSchema,
      columns: columns(session.nowMs),
      fetchPage: async (request) => {
        const page = await session.access.listTokens(request, session.call);
        return { items: page.tokens, nextPageToken: page.nextPageToken };
      },
      nameOf: (token) => token.name,
      empty: "There are no such tokens. `meridian token create --service-account NAME` makes one.",
    },
  );
}

function columns(nowMs: number): readonly Column<Token>[] {
  return [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "ACCOUNT", text: ({ spec }) => shortName(spec?.serviceAccount ?? "") },
    {
      title: "STATE",
      text: ({ status }) => (status === undefined ? "" : enumName(TokenStatus_StateSchema, status.state)),
    },
    { title: "ENDS", text: ({ status }) => moment(status?.expireTime, nowMs) },
    { title: "LAST USED", text: ({ status }) => moment(status?.lastUseTime, nowMs) },
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "FOR", text: ({ spec }) => spec?.description ?? "" },
  ];
}
