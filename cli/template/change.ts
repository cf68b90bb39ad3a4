/** `template create`, `template update` and `template delete`. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import type { Role } from "../../shared/gen/es/meridian/v1/service_account_pb.ts";
import { TemplateSchema, type TemplateSpecSchema } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import type { ReadinessProbe } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import {
  type ArchitectureWord,
  architectures,
  architectureWords,
  type GuestOsWord,
  guestOses,
  guestOsWords,
} from "../values/architecture.ts";
import { collectLabel, type Labels } from "../values/label.ts";
import { resourceName } from "../values/name.ts";
import { wholeNumber } from "../values/number.ts";
import { parseReadiness } from "../values/readiness.ts";
import { collectPlainRole } from "../values/role.ts";
import { parseSizeMib } from "../values/size.ts";
import { examples, forEachName, requireFlag } from "../verbs.ts";

interface TemplateFlags {
  readonly catalog?: string | undefined;
  readonly catalogId?: string | undefined;
  readonly imageVersion?: string | undefined;
  readonly hostVm?: string | undefined;
  readonly os?: GuestOsWord | undefined;
  readonly arch?: ArchitectureWord | undefined;
  readonly cpu?: number | undefined;
  readonly memory?: number | undefined;
  readonly disk?: number | undefined;
  readonly ready?: ReadinessProbe | undefined;
  readonly description?: string | undefined;
  readonly label?: Labels | undefined;
  readonly allowProject?: readonly string[] | undefined;
  readonly allowRole?: readonly Role[] | undefined;
  readonly allowAll?: true | undefined;
}

function addTemplateFlags(command: Command) {
  return command
    .option("--catalog <catalog>", "pull from this catalog, together with --catalog-id")
    .option("--catalog-id <id>", "the manifest's id in the catalog, such as MACOS-15-CI")
    .option("--image-version <version>", "the manifest's version (default: latest)")
    .option("--host-vm <name>", "or clone this stopped VM, which stands on the hosts under this name")
    .addOption(new Option("--os <system>", "the guest's operating system").choices(guestOsWords))
    .addOption(new Option("--arch <architecture>", "the guest's architecture").choices(architectureWords))
    .addOption(
      new Option("--cpu <count>", "virtual CPUs of VMs that do not say otherwise").argParser(wholeNumber(1, 1024)),
    )
    .addOption(new Option("--memory <size>", "their memory, such as 8192 (MiB) or 8GiB").argParser(parseSizeMib))
    .addOption(
      new Option("--disk <size>", "the most that their disk may grow to, such as 64GiB").argParser(parseSizeMib),
    )
    .addOption(
      new Option("--ready <probe>", "what proves them ready: tools, none, tcp:22 or exec:COMMAND").argParser(
        parseReadiness,
      ),
    )
    .option("--description <text>", "for people")
    .addOption(new Option("--label <key=value>", "a fact to select by; may be repeated").argParser(collectLabel))
    .addOption(
      new Option("--allow-project <project>", "only VMs of this project may be made of it; may be repeated").argParser(
        collectProject,
      ),
    )
    .addOption(
      new Option(
        "--allow-role <role>",
        "only callers of this role, or a higher one, may use it; may be repeated",
      ).argParser(collectPlainRole),
    )
    .option("--allow-all", "everybody may use it who may make VMs (default)");
}

const createExample =
  "meridian template create --id macos-15 --host-vm macos-15-base --os macos --arch arm64 --cpu 4 --memory 8GiB --disk 64GiB";

export function registerTemplateChange(noun: Program, terminal: Terminal): void {
  addTemplateFlags(noun.command("create"))
    .summary("add a template")
    .description(
      "Adds a template: a manifest of a catalog that hosts pull, or a golden VM that stands on them and is cloned.",
    )
    .option("--id <id>", "the name's last part (default: the server makes one)")
    .option("--request-id <id>", "a repeated request with the same id makes nothing new")
    .addHelpText(
      "after",
      examples(
        createExample.replace("meridian ", ""),
        "template create --id macos-15 --catalog main --catalog-id MACOS-15-CI --os macos --arch arm64 --cpu 4 --memory 8GiB --disk 64GiB",
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        requireFlag(options.os, "--os", createExample);
        requireFlag(options.arch, "--arch", createExample);
        requireFlag(options.cpu, "--cpu", createExample);
        requireFlag(options.memory, "--memory", createExample);
        requireFlag(options.disk, "--disk", createExample);
        const { spec } = templateSpec(options);
        requireFlag(spec.source, "--catalog (with --catalog-id) or --host-vm", createExample);
        const { id = "", requestId = "" } = options;
        const answer = await session.templates.createTemplate(
          { template: { spec }, templateId: id, requestId },
          session.call,
        );
        const message = required(answer.template, "template in the answer");
        printResource(session, { schema: TemplateSchema, message }, () => `${message.name}\n`);
      }),
    );

  addTemplateFlags(noun.command("update"))
    .argument("<template>", "the template's name")
    .summary("change a template")
    .description(
      "Changes what the flags say and nothing else. VMs that exist keep what they have. --label replaces all labels, and the " +
        "--allow flags replace all that was allowed.",
    )
    .addHelpText(
      "after",
      examples(
        "template update macos-15 --memory 16GiB",
        "template update macos-15 --ready tcp:22",
        "template update macos-15 --allow-project ios --allow-role operator",
      ),
    )
    .action((text, options, command) =>
      withSession(terminal, command, async (session) => {
        const name = resourceName("templates", text);
        const { spec, paths } = templateSpec(options);
        if (paths.length === 0)
          throw wrongUsage("nothing to change", "`meridian template update --help` lists what can be.");
        const answer = await session.templates.updateTemplate(
          { template: { name, spec }, updateMask: { paths } },
          session.call,
        );
        const message = required(answer.template, "template in the answer");
        printResource(session, { schema: TemplateSchema, message }, () => `${message.name} updated\n`);
      }),
    );

  noun
    .command("delete")
    .argument("<template...>", "the templates' names")
    .summary("remove a template")
    .description("Removes a template. VMs that exist keep what they have.")
    .addHelpText("after", examples("template delete macos-14"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("templates", text);
          await session.templates.deleteTemplate({ name }, session.call);
          if (!session.isJson) terminal.stdout.write(`${name} deleted\n`);
        }),
      ),
    );
}

type TemplateSpecInit = Exclude<MessageInitShape<typeof TemplateSpecSchema>, { readonly $typeName: string }>;

/** The spec that the flags describe, and the paths of what they say. */
function templateSpec(flags: TemplateFlags): { readonly spec: TemplateSpecInit; readonly paths: string[] } {
  const spec: TemplateSpecInit = {
    resources: { cpuCount: flags.cpu ?? 0, memoryMib: flags.memory ?? 0, diskMib: flags.disk ?? 0 },
  };
  const paths: string[] = [];
  const source = sourceOf(flags);
  if (source !== undefined) {
    spec.source = source;
    paths.push(source.case === "catalog" ? "spec.catalog" : "spec.host_vm");
  }
  if (flags.cpu !== undefined) paths.push("spec.resources.cpu_count");
  if (flags.memory !== undefined) paths.push("spec.resources.memory_mib");
  if (flags.disk !== undefined) paths.push("spec.resources.disk_mib");
  if (flags.os !== undefined) {
    spec.guestOs = guestOses[flags.os];
    paths.push("spec.guest_os");
  }
  if (flags.arch !== undefined) {
    spec.architecture = architectures[flags.arch];
    paths.push("spec.architecture");
  }
  if (flags.ready !== undefined) {
    spec.readiness = flags.ready;
    paths.push("spec.readiness");
  }
  if (flags.description !== undefined) {
    spec.description = flags.description;
    paths.push("spec.description");
  }
  const access = accessOf(flags);
  if (access !== undefined) {
    spec.access = access;
    paths.push("spec.access");
  }
  if (flags.label !== undefined) {
    spec.labels = { ...flags.label };
    paths.push("spec.labels");
  }
  return { spec, paths };
}

function sourceOf({ catalog, catalogId, imageVersion = "", hostVm }: TemplateFlags) {
  if (hostVm !== undefined) {
    if (catalog !== undefined || catalogId !== undefined)
      throw wrongUsage("--host-vm and --catalog exclude each other");
    return { case: "hostVm" as const, value: { vmName: hostVm } };
  }
  if (catalog === undefined && catalogId === undefined) return undefined;
  if (catalog === undefined || catalogId === undefined) throw wrongUsage("--catalog and --catalog-id go together");
  return {
    case: "catalog" as const,
    value: { catalog: resourceName("catalogs", catalog), catalogId, version: imageVersion },
  };
}

/** Projects and roles are said together: one list that is left out is empty. */
function accessOf({ allowProject, allowRole, allowAll }: TemplateFlags): TemplateSpecInit["access"] {
  if (allowProject === undefined && allowRole === undefined) return allowAll === true ? {} : undefined;
  if (allowAll === true) throw wrongUsage("--allow-all excludes --allow-project and --allow-role");
  return { projects: [...(allowProject ?? [])], roles: [...(allowRole ?? [])] };
}

function collectProject(text: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), text.replace(/^projects\//, "")];
}
