/** `meridian issuer`: identity providers, whose tokens let callers in. */
import { required } from "../shared/assert.ts";
import { type Issuer, IssuerSchema } from "../shared/gen/es/meridian/v1/issuer_pb.ts";
import { registerIssuerChange } from "./issuer/change.ts";
import { registerIssuerExplain } from "./issuer/explain.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption } from "./list.ts";
import type { Column } from "./output/table.ts";
import { age, moment } from "./output/time.ts";
import type { Program } from "./program-type.ts";
import { detailView, printResource, type Session, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { formatRule } from "./values/issuer-rule.ts";
import { resourceName, shortName } from "./values/name.ts";
import { examples, forEachName } from "./verbs.ts";

export function registerIssuer(program: Program, terminal: Terminal): void {
  const noun = program
    .command("issuer")
    .summary("let callers in by tokens of their identity provider")
    .description(
      "Keeps issuers (OpenID Connect), such as GitHub Actions or GitLab: a job comes with the token that its build system gives " +
        "it, and needs no secret of the pool's. Rules say which jobs may do what.",
    );
  registerIssuerChange(noun, terminal);
  registerIssuerExplain(noun, terminal);

  noun
    .command("list")
    .summary("list issuers")
    .description("Lists issuers.")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(quietOption)
    .addHelpText("after", examples("issuer list", "issuer list --filter 'spec.disabled = true'"))
    .action((options, command) =>
      withSession(terminal, command, (session) =>
        printList(session, options, {
          plural: "issuers",
          schema: IssuerSchema,
          columns: columns(session.nowMs),
          fetchPage: async (request) => {
            const page = await session.access.listIssuers(request, session.call);
            return { items: page.issuers, nextPageToken: page.nextPageToken };
          },
          nameOf: ({ name }) => name,
          empty: "There are no issuers. `meridian issuer create --help` says how to let a build system's jobs in.",
        }),
      ),
    );

  noun
    .command("get")
    .argument("<issuer...>", "the issuers' names")
    .summary("show an issuer")
    .description("Shows an issuer with its rules.")
    .addHelpText("after", examples("issuer get github"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("issuers", text);
          const { issuer } = await session.access.getIssuer({ name }, session.call);
          const message = required(issuer, "issuer in the answer");
          printResource(session, { schema: IssuerSchema, message }, () => detail(session, message));
        }),
      ),
    );
}

function columns(nowMs: number): readonly Column<Issuer>[] {
  return [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "STATE", text: stateOf },
    { title: "RULES", text: ({ spec }) => String(spec?.rules.length ?? 0), align: "right" },
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "URL", text: ({ spec }) => spec?.url ?? "" },
    { title: "AUDIENCES", text: ({ spec }) => (spec?.audiences ?? []).join(", ") },
    { title: "FOR", text: ({ spec }) => spec?.description ?? "" },
  ];
}

function detail(session: Session, issuer: Issuer): string {
  const { name, spec, createTime, updateTime } = issuer;
  const { nowMs } = session;
  const rules = spec?.rules ?? [];
  return detailView(session)
    .heading(name, stateOf(issuer), "plain")
    .sentence(spec?.description ?? "")
    .facts([
      ["URL", spec?.url ?? ""],
      ["Audiences", (spec?.audiences ?? []).join(", ")],
      ["Made", moment(createTime, nowMs)],
      ["Changed", moment(updateTime, nowMs)],
      ...(rules.length === 0 ? [["Rules", "none: nobody is let in"] as const] : []),
      ...rules.map((rule, index) => [`Rule ${index + 1}`, formatRule(rule)] as const),
    ])
    .toString();
}

function stateOf({ spec }: Issuer): string {
  return spec?.disabled === true ? "DISABLED" : "ENABLED";
}
