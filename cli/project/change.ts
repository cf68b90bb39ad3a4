/** `meridian project create, update, delete`. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import {
  type ProjectQuotaSchema,
  ProjectSchema,
  type ProjectSpecSchema,
} from "../../shared/gen/es/meridian/v1/project_pb.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { collectLabel, type Labels } from "../values/label.ts";
import { resourceName } from "../values/name.ts";
import { wholeNumber } from "../values/number.ts";
import { parseSizeMib } from "../values/size.ts";
import { examples, forEachName } from "../verbs.ts";

export function registerProjectChange(noun: Program, terminal: Terminal): void {
  addProjectFlags(noun.command("create"))
    .summary("create a project")
    .description("Creates a project. VMs that already name it belong to it at once.")
    .option("--id <id>", "the name's last part (default: the server makes one)")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new")
    .addHelpText("after", examples("project create --id acme --weight 2 --max-vms 8 --max-macos 4"))
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        const { id = "", requestId = "" } = options;
        const { spec } = projectSpec(options);
        const answer = await session.access.createProject(
          { project: { spec }, projectId: id, requestId },
          session.call,
        );
        const message = required(answer.project, "project in the answer");
        printResource(session, { schema: ProjectSchema, message }, () => `${message.name}\n`);
      }),
    );

  addProjectFlags(noun.command("update"))
    .argument("<project>", "the project's name")
    .summary("change a project")
    .description(
      'Changes what the flags say and nothing else. "none" takes a bound away. A quota below what the project holds ends no VM.',
    )
    .addHelpText("after", examples("project update acme --max-vms 16", "project update acme --max-memory none"))
    .action((text, options, command) =>
      withSession(terminal, command, async (session) => {
        const name = resourceName("projects", text);
        const { spec, paths } = projectSpec(options);
        if (paths.length === 0)
          throw wrongUsage("nothing to change", "`meridian project update --help` lists what can be.");
        const answer = await session.access.updateProject(
          { project: { name, spec }, updateMask: { paths } },
          session.call,
        );
        const message = required(answer.project, "project in the answer");
        printResource(session, { schema: ProjectSchema, message }, () => `${message.name} updated\n`);
      }),
    );

  noun
    .command("delete")
    .argument("<project...>", "the projects' names")
    .summary("delete a project")
    .description("Deletes a project that has no VMs.")
    .addHelpText("after", examples("project delete acme"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("projects", text);
          await session.access.deleteProject({ name }, session.call);
          if (!session.isJson) terminal.stdout.write(`${name} deleted\n`);
        }),
      ),
    );
}

/** A bound, or that there is none. */
type Bound = number | "none";

interface ProjectFlags {
  readonly displayName?: string | undefined;
  readonly weight?: number | undefined;
  readonly maxVms?: Bound | undefined;
  readonly maxCpu?: Bound | undefined;
  readonly maxMemory?: Bound | undefined;
  readonly maxDisk?: Bound | undefined;
  readonly maxMacos?: Bound | undefined;
  readonly label?: Labels | undefined;
}

function addProjectFlags(command: Command) {
  const count = orNone(wholeNumber(0, 1_000_000));
  return command
    .option("--display-name <text>", "for people")
    .addOption(
      new Option("--weight <number>", "its share beside those of others (default: 1)").argParser(wholeNumber(1, 1000)),
    )
    .addOption(new Option("--max-vms <count>", "VMs that may have a host at a time").argParser(count))
    .addOption(new Option("--max-cpu <count>", "virtual CPUs that they may hold together").argParser(count))
    .addOption(new Option("--max-memory <size>", "memory, such as 64GiB").argParser(orNone(parseSizeMib)))
    .addOption(new Option("--max-disk <size>", "disk, such as 1TiB").argParser(orNone(parseSizeMib)))
    .addOption(new Option("--max-macos <count>", "macOS guests").argParser(count))
    .addOption(new Option("--label <key=value>", "a fact to select by; may be repeated").argParser(collectLabel));
}

function orNone(parse: (text: string) => number): (text: string) => Bound {
  return (text) => (text === "none" ? "none" : parse(text));
}

type SpecInit = Exclude<MessageInitShape<typeof ProjectSpecSchema>, { readonly $typeName: string }>;
type QuotaInit = Exclude<MessageInitShape<typeof ProjectQuotaSchema>, { readonly $typeName: string }>;

/** The spec that the flags describe, and the paths of what they say. */
function projectSpec(flags: ProjectFlags): { readonly spec: SpecInit; readonly paths: string[] } {
  const paths: string[] = [];
  const said = <Value>(value: Value | undefined, path: string): value is Value => {
    if (value !== undefined) paths.push(`spec.${path}`);
    return value !== undefined;
  };
  const bounded = (value: Bound | undefined, name: string): value is number =>
    said(value, `quota.${name}`) && value !== "none";
  const { maxVms, maxCpu, maxMemory, maxDisk, maxMacos } = flags;
  const quota: QuotaInit = {
    ...(bounded(maxVms, "vms") && { vms: maxVms }),
    ...(bounded(maxCpu, "cpu_count") && { cpuCount: maxCpu }),
    ...(bounded(maxMemory, "memory_mib") && { memoryMib: BigInt(maxMemory) }),
    ...(bounded(maxDisk, "disk_mib") && { diskMib: BigInt(maxDisk) }),
    ...(bounded(maxMacos, "macos_slots") && { macosSlots: maxMacos }),
  };
  const spec: SpecInit = {
    quota,
    ...(said(flags.displayName, "display_name") && { displayName: flags.displayName }),
    ...(said(flags.weight, "weight") && { weight: flags.weight }),
    ...(said(flags.label, "labels") && { labels: { ...flags.label } }),
  };
  return { spec, paths };
}
