/** `vm adopt`: takes a VM that stands on a host into the pool. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { VmSchema } from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import type { Program } from "../program-type.ts";
import { printResource, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { collectLabel } from "../values/label.ts";
import { resourceName } from "../values/name.ts";
import { examples } from "../verbs.ts";
import { vmLine } from "./views.ts";

export function registerAdopt(noun: Program, terminal: Terminal): void {
  noun
    .command("adopt")
    .argument("<host>", "the host's name")
    .argument("<name>", "the VM's name or id in Parallels Desktop")
    .summary("take a VM that stands on a host into the pool")
    .description("Takes a VM that stands on a host, and that is not the pool's, into the pool. It stays as it is.")
    .option("--id <id>", "the new name's last part (default: the server makes one)")
    .option("--request-id <id>", "a repeated request with the same id takes nothing new")
    .addOption(new Option("--label <key=value>", "a fact to select by; may be repeated").argParser(collectLabel))
    .addOption(
      new Option("--lease <duration>", "delete it unless it is renewed in time (default: it stays)").argParser(
        parseDurationMs,
      ),
    )
    .addHelpText("after", examples('vm adopt mac-1 "Windows 11" --id windows', "vm adopt mac-1 build --lease 8h"))
    .action((host, hostVm, { id = "", requestId = "", label, lease }, command) =>
      withSession(terminal, command, async (session) => {
        const answer = await session.vms.adoptVm(
          {
            host: resourceName("hosts", host),
            hostVm,
            vmId: id,
            requestId,
            spec: {
              labels: { ...label },
              ...(lease !== undefined && { leaseDuration: durationFromMs(lease) }),
            },
          },
          session.call,
        );
        const message = required(answer.vm, "VM in the answer");
        printResource(session, { schema: VmSchema, message }, () => `${vmLine(message)}\n`);
      }),
    );
}
