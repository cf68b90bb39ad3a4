/** `vm list`, `vm get` and `vm watch`. */
import { required } from "../../shared/assert.ts";
import { VmSchema } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { WatchVmsResponseSchema } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import { filterOption, limitOption, orderByOption, printList, quietOption, wideOption } from "../list.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName } from "../verbs.ts";
import { fromRevisionOption, printWatch } from "../watch.ts";
import { vmColumns, vmDetail, vmSentence, vmState } from "./views.ts";

export function registerRead(noun: Program, terminal: Terminal): void {
  noun
    .command("list")
    .summary("list VMs")
    .description("Lists the pool's VMs, without those that are deleted and only remembered for a while.")
    .option("--all", "deleted ones too")
    .addOption(filterOption)
    .addOption(orderByOption)
    .addOption(limitOption)
    .addOption(wideOption)
    .addOption(quietOption)
    .addHelpText(
      "after",
      examples(
        "vm list",
        "vm list -o wide --order-by 'create_time desc' --limit 20",
        `vm list -q --filter 'status.state = FAILED' | xargs meridian vm delete`,
        `vm list --json --filter 'spec.labels.team = "ios"'`,
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, (session) =>
        printList(
          session,
          { ...options, filter: listFilter(options) },
          {
            plural: "vms",
            schema: VmSchema,
            columns: vmColumns(session.nowMs, options.output === "wide"),
            fetchPage: async (request) => {
              const page = await session.vms.listVms(request, session.call);
              return { items: page.vms, nextPageToken: page.nextPageToken };
            },
            nameOf: ({ name }) => name,
            empty: "There are no VMs.",
          },
        ),
      ),
    );

  noun
    .command("get")
    .argument("<vm...>", "the VMs' names")
    .summary("show a VM, its failure and its timeline")
    .description("Shows a VM in detail: what it is, where it stands, what went wrong, and when it was in which state.")
    .addHelpText("after", examples("vm get build-1", "vm get build-1 --json"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const { vm } = await session.vms.getVm({ name: resourceName("vms", text) }, session.call);
          const message = required(vm, "VM in the answer");
          printResource(session, { schema: VmSchema, message }, () => vmDetail(session, message));
        }),
      ),
    );

  noun
    .command("watch")
    .summary("tell of every change of VMs")
    .description("Prints a line for every change of a VM until interrupted; with --json a line of JSON.")
    .addOption(filterOption)
    .addOption(fromRevisionOption)
    .addHelpText("after", examples("vm watch", `vm watch --filter 'name = "vms/build-1"' --json`))
    .action(({ filter = "", fromRevision = 0n }, command) =>
      withSession(terminal, command, (session) =>
        printWatch(session, WatchVmsResponseSchema, {
          events: session.vms.watchVms({ filter, fromRevision }, session.stream),
          line: ({ vm }) => vm && { name: vm.name, state: vmState(vm), message: vmSentence(vm) },
        }),
      ),
    );
}

/** Who asks for DELETED ones in so many words gets them. */
function listFilter({ filter = "", all }: { readonly filter?: string | undefined; readonly all?: true | undefined }) {
  if (all === true || /\bDELETED\b/.test(filter)) return filter;
  const present = "status.state != DELETED";
  return filter === "" ? present : `(${filter}) AND ${present}`;
}
