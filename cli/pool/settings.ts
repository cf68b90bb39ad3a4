/** `meridian pool settings`: what holds in the pool, and what was chosen of it. */
import { required } from "../../shared/assert.ts";
import { type Settings, SettingsSchema } from "../../shared/gen/es/meridian/v1/settings_pb.ts";
import type { Column } from "../output/table.ts";
import type { Program } from "../program-type.ts";
import { printResource, printTable, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { checkedPath, parseSettings, settingPaths, settingValues } from "../values/setting.ts";
import { examples } from "../verbs.ts";

export function registerSettings(pool: Program, terminal: Terminal): void {
  const noun = pool
    .command("settings")
    .summary("show and change settings at run time")
    .description("Shows and changes the settings of the pool. A change takes effect at once, without a restart.");

  noun
    .command("show", { isDefault: true })
    .summary("show every setting")
    .description("Shows every setting with the value that holds, and whether it was set or is the default.")
    .addHelpText("after", examples("pool settings", "pool settings show --json"))
    .action((_options, command) =>
      withSession(terminal, command, async (session) => {
        const message = required((await session.pool.getSettings({}, session.call)).settings, "settings in the answer");
        if (session.isJson) printResource(session, { schema: SettingsSchema, message }, () => "");
        else printTable(session, rowsOf(message, settingPaths()), columns);
      }),
    );

  noun
    .command("set")
    .argument("<setting...>", "PATH=VALUE")
    .summary("change settings")
    .description("Changes settings. The others stay as they are.")
    .option("--etag <etag>", "only if the settings still have this etag")
    .addHelpText(
      "after",
      examples(
        "pool settings set placement.strategy=spread",
        "pool settings set hosts.lost_after=1h vms.failed_retention=2h",
      ),
    )
    .action((texts, { etag }, command) =>
      withSession(terminal, command, (session) => {
        const { spec, paths } = parseSettings(texts);
        return update(session, paths, { spec, ...(etag !== undefined && { etag }) });
      }),
    );

  noun
    .command("reset")
    .argument("<path...>", "the settings' paths")
    .summary("give settings their defaults again")
    .description("Gives settings their defaults again, also those that a later version may have.")
    .addHelpText("after", examples("pool settings reset placement.strategy"))
    .action((texts, _options, command) =>
      withSession(terminal, command, (session) => update(session, texts.map(checkedPath), { spec: {} })),
    );
}

async function update(
  session: Session,
  paths: readonly string[],
  settings: NonNullable<Parameters<Session["pool"]["updateSettings"]>[0]["settings"]>,
): Promise<void> {
  const updateMask = { paths: paths.map((path) => `spec.${path}`) };
  const answer = await session.pool.updateSettings({ settings, updateMask }, session.call);
  const message = required(answer.settings, "settings in the answer");
  printResource(session, { schema: SettingsSchema, message }, () =>
    rowsOf(message, paths)
      .map(({ path, text, origin }) => `${path} ${text}, ${origin}\n`)
      .join(""),
  );
}

interface Row {
  readonly path: string;
  readonly text: string;
  /** "set" or "default". */
  readonly origin: string;
}

function rowsOf({ spec, effective }: Settings, paths: readonly string[]): readonly Row[] {
  const set = new Set(spec === undefined ? [] : settingValues(spec).map(({ path }) => path));
  const values = new Map(effective === undefined ? [] : settingValues(effective).map(({ path, text }) => [path, text]));
  return paths.map((path) => ({ path, text: values.get(path) ?? "-", origin: set.has(path) ? "set" : "default" }));
}

const columns: readonly Column<Row>[] = [
  { title: "SETTING", text: ({ path }) => path },
  { title: "VALUE", text: ({ text }) => text },
  { title: "FROM", text: ({ origin }) => origin },
];
