/** `meridian catalog`: the Parallels catalogs that hosts pull from. */
import { type Command } from "@commander-js/extra-typings";
import { required } from "../shared/assert.ts";
import {
  type Catalog,
  type CatalogManifest,
  CatalogSchema,
  type CatalogStatus,
  TemplateStatus_StateSchema,
} from "../shared/gen/es/meridian/v1/template_pb.ts";
import { ArchitectureSchema, Condition_State } from "../shared/gen/es/meridian/v1/types_pb.ts";
import { wrongUsage } from "./failure.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption } from "./list.ts";
import type { Column } from "./output/table.ts";
import { age, moment } from "./output/time.ts";
import type { Program } from "./program-type.ts";
import { detailView, printResource, type Session, withSession } from "./session.ts";
import type { Terminal } from "./terminal.ts";
import { enumName, enumWord } from "./values/enum.ts";
import { resourceName, shortName } from "./values/name.ts";
import { examples, forEachName, requireFlag } from "./verbs.ts";

export function registerCatalog(program: Program, terminal: Terminal): void {
  const noun = program
    .command("catalog")
    .summary("keep the catalogs that hosts pull from")
    .description("Keeps the Parallels catalogs that hosts pull from. Credentials go in and never come out again.");
  registerRead(noun, terminal);
  registerChange(noun, terminal);
}

function registerRead(noun: Program, terminal: Terminal): void {
  noun
    .command("list")
    .summary("list catalogs")
    .description("Lists catalogs, without their credentials.")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(quietOption)
    .addHelpText("after", examples("catalog list"))
    .action((options, command) =>
      withSession(terminal, command, (session) =>
        printList(session, options, {
          plural: "catalogs",
          schema: CatalogSchema,
          columns: catalogColumns(session.nowMs),
          fetchPage: async (request) => {
            const page = await session.catalogs.listCatalogs(request, session.call);
            return { items: page.catalogs, nextPageToken: page.nextPageToken };
          },
          nameOf: ({ name }) => name,
          empty: "There are no catalogs. `meridian catalog create --help` says how to add one.",
        }),
      ),
    );

  noun
    .command("get")
    .argument("<catalog...>", "the catalogs' names")
    .summary("show a catalog")
    .description("Shows a catalog without its credentials: whether the server can read it, and what is in it.")
    .addHelpText("after", examples("catalog get main"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("catalogs", text);
          const message = required((await session.catalogs.getCatalog({ name }, session.call)).catalog, "catalog");
          printResource(session, { schema: CatalogSchema, message }, () => catalogDetail(session, message));
        }),
      ),
    );
}

function registerChange(noun: Program, terminal: Terminal): void {
  addCatalogFlags(noun.command("create"))
    .summary("register a catalog")
    .description("Registers a catalog. Others can see flags: give secrets as MERIDIAN_PASSWORD or MERIDIAN_API_KEY.")
    .option("--id <id>", "the name's last part (default: the server makes one)")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new")
    .addHelpText("after", examples("catalog create --id main --url https://catalog.example.com --username ci"))
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        requireFlag(options.url, "--url", "meridian catalog create --id main --url https://catalog.example.com");
        const { spec } = catalogSpec(options);
        const { id = "", requestId = "" } = options;
        const answer = await session.catalogs.createCatalog(
          { catalog: { spec }, catalogId: id, requestId },
          session.call,
        );
        const message = required(answer.catalog, "catalog in the answer");
        printResource(session, { schema: CatalogSchema, message }, () => `${message.name}\n`);
      }),
    );

  addCatalogFlags(noun.command("update"))
    .argument("<catalog>", "the catalog's name")
    .summary("change a catalog")
    .description("Changes what the flags say and nothing else. Credentials are replaced as a whole.")
    .addHelpText("after", examples("catalog update main --url https://catalog2.example.com"))
    .action((text, options, command) =>
      withSession(terminal, command, async (session) => {
        const name = resourceName("catalogs", text);
        const { spec, paths } = catalogSpec(options);
        if (paths.length === 0)
          throw wrongUsage("nothing to change", "`meridian catalog update --help` lists what can be.");
        const answer = await session.catalogs.updateCatalog(
          { catalog: { name, spec }, updateMask: { paths } },
          session.call,
        );
        const message = required(answer.catalog, "catalog in the answer");
        printResource(session, { schema: CatalogSchema, message }, () => `${message.name} updated\n`);
      }),
    );

  noun
    .command("delete")
    .argument("<catalog...>", "the catalogs' names")
    .summary("forget a catalog")
    .description("Forgets a catalog that no template refers to.")
    .addHelpText("after", examples("catalog delete main"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("catalogs", text);
          await session.catalogs.deleteCatalog({ name }, session.call);
          if (!session.isJson) terminal.stdout.write(`${name} deleted\n`);
        }),
      ),
    );
}

interface CatalogFlags {
  readonly url?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly description?: string | undefined;
}

function addCatalogFlags(command: Command) {
  return command
    .option("--url <url>", "the catalog's address")
    .option("--username <name>", "how hosts prove who they are: a user")
    .option("--password <password>", "the user's password")
    .option("--api-key <key>", "or an API key instead of a user")
    .option("--description <text>", "for people");
}

function catalogSpec({ url, username, password, apiKey, description }: CatalogFlags) {
  if (apiKey !== undefined && username !== undefined) throw wrongUsage("--api-key and --username exclude each other");
  if (password !== undefined && username === undefined) throw wrongUsage("--password needs --username");
  const hasCredentials = username !== undefined || apiKey !== undefined;
  const credentials = { username: username ?? "", password: password ?? "", apiKey: apiKey ?? "" };
  const spec = { url: url ?? "", description: description ?? "", ...(hasCredentials && { credentials }) };
  const paths = [
    ...(url === undefined ? [] : ["spec.url"]),
    ...(hasCredentials ? ["spec.credentials"] : []),
    ...(description === undefined ? [] : ["spec.description"]),
  ];
  return { spec, paths };
}

function catalogColumns(nowMs: number): readonly Column<Catalog>[] {
  return [
    { title: "NAME", text: ({ name }) => shortName(name) },
    { title: "URL", text: ({ spec }) => spec?.url ?? "" },
    { title: "CREDENTIALS", text: ({ spec }) => (spec?.hasCredentials === true ? "stored" : "none") },
    { title: "AGE", text: ({ createTime }) => age(createTime, nowMs) },
    { title: "DESCRIPTION", text: ({ spec }) => spec?.description ?? "" },
  ];
}

function catalogDetail(session: Session, { name, spec, status, createTime, updateTime }: Catalog): string {
  const leftOut = status?.manifestsLeftOut ?? 0;
  return detailView(session)
    .heading(name, "", "plain")
    .sentence(spec?.description ?? "")
    .facts([
      ["URL", spec?.url ?? ""],
      ["Credentials", spec?.hasCredentials === true ? "stored" : "none"],
      ["Reachable", formatReachable(session, status)],
      ["Made", moment(createTime, session.nowMs)],
      ["Changed", moment(updateTime, session.nowMs)],
    ])
    .table("Manifests", status?.manifests ?? [], manifestColumns)
    .sentence(leftOut === 0 ? "" : `and ${leftOut} more that no template names`)
    .toString();
}

/** Such as "yes, for 3 h", or "no: it refuses the credentials (for 5 min)". */
function formatReachable(session: Session, status: CatalogStatus | undefined): string {
  const condition = status?.conditions.find(({ type }) => type === "Reachable");
  if (condition === undefined) return "not read yet";
  const since = moment(condition.since, session.nowMs);
  return condition.state === Condition_State.TRUE ? `yes, since ${since}` : `no: ${condition.message} (since ${since})`;
}

const manifestColumns: readonly Column<CatalogManifest>[] = [
  { title: "ID", text: ({ catalogId }) => catalogId },
  { title: "VERSION", text: ({ version, latest }) => (latest ? `${version} (latest)` : version) },
  { title: "ARCH", text: ({ architecture }) => enumWord(ArchitectureSchema, architecture) },
  { title: "STATE", text: ({ state }) => enumName(TemplateStatus_StateSchema, state) },
  {
    title: "FOR",
    text: ({ requiredRoles, requiredClaims }) => [...requiredRoles, ...requiredClaims].join(", ") || "-",
  },
];
