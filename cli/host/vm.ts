/**
 * What stands on one host: `host vms` lists all that Parallels Desktop shows there, `host vm VERB` does something to a VM
 * that the pool does not own. The pool's own are changed by `meridian vm`.
 */
import { toJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { HostVmSchema } from "../../shared/gen/es/meridian/v1/host_pb.ts";
import { ControlHostVmRequest_Action as Action } from "../../shared/gen/es/meridian/v1/host_service_pb.ts";
import { wrongUsage } from "../failure.ts";
import { quietOption } from "../list.ts";
import { moment } from "../output/time.ts";
import type { Program } from "../program-type.ts";
import { printJson, printResource, printTable, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { resourceName } from "../values/name.ts";
import { examples } from "../verbs.ts";
import { hostVmColumns } from "./views.ts";

const actions = [
  { verb: "start", action: Action.START, summary: "power on", done: "started" },
  { verb: "stop", action: Action.STOP, summary: "shut down", done: "stopped" },
  { verb: "suspend", action: Action.SUSPEND, summary: "save its memory to disk", done: "suspended" },
  { verb: "resume", action: Action.RESUME, summary: "bring back from suspended or paused", done: "resumed" },
  { verb: "pause", action: Action.PAUSE, summary: "freeze in memory", done: "paused" },
  { verb: "restart", action: Action.RESTART, summary: "have the guest restart", done: "restarted" },
  { verb: "reset", action: Action.RESET, summary: "press its reset button", done: "reset" },
  { verb: "delete", action: Action.DELETE, summary: "remove with its files", done: "deleted" },
] as const;

const actionDefaultMs = 5 * 60_000;
/** The server ends the action; our own deadline is only there in case it does not. */
const graceMs = 10_000;

export function registerHostVm(noun: Program, terminal: Terminal): void {
  noun
    .command("vms")
    .argument("<host>", "the host's name")
    .summary("list all VMs on a host, the pool's or not")
    .description("Lists everything that Parallels Desktop shows on a host, the pool's or not.")
    .addOption(quietOption)
    .addHelpText("after", examples("host vms mac-1", "host vms mac-1 --json"))
    .action((text, { quiet }, command) =>
      withSession(terminal, command, async (session) => {
        const { vms, reportTime } = await session.hosts.listHostVms(
          { name: resourceName("hosts", text) },
          session.call,
        );
        if (session.isJson) printJson(session, { vms: vms.map((vm) => toJson(HostVmSchema, vm)) });
        else if (quiet === true) terminal.stdout.write(vms.map(({ displayName }) => `${displayName}\n`).join(""));
        else if (vms.length === 0) terminal.stderr.write("There are no VMs on this host.\n");
        else printTable(session, vms, hostVmColumns);
        if (!session.isJson && quiet !== true && terminal.stdout.isTerminal) {
          terminal.stdout.write(`${session.paint(`as reported ${moment(reportTime, session.nowMs)}`, "dim")}\n`);
        }
      }),
    );

  const verbs = noun
    .command("vm")
    .summary("change a VM on a host that is not the pool's")
    .description("Changes a VM on a host that the pool does not own, and waits until it is done.");
  for (const { verb, action, summary, done } of actions) {
    const canForce = action === Action.STOP || action === Action.DELETE;
    verbs
      .command(verb)
      .argument("<host>", "the host's name")
      .argument("<name>", "the VM's name or id in Parallels Desktop")
      .summary(summary)
      .description(`Has a VM that is not the pool's ${done}: ${summary}.`)
      .addOption(new Option("--force", "cut the power instead of asking the guest").hideHelp(!canForce))
      .addOption(new Option("--timeout <duration>", "how long it may take (default: 5m)").argParser(parseDurationMs))
      .addHelpText("after", examples(`host vm ${verb} mac-1 "Windows 11"${canForce ? " --force" : ""}`))
      .action((host, hostVm, { force, timeout = actionDefaultMs }, command) =>
        withSession(terminal, command, async (session) => {
          if (force === true && !canForce) throw wrongUsage(`${verb} cannot be forced`);
          const answer = await session.hosts.controlHostVm(
            {
              name: resourceName("hosts", host),
              hostVm,
              action,
              force: force === true,
              timeout: durationFromMs(timeout),
            },
            { ...session.call, timeoutMs: timeout + graceMs },
          );
          const vm = required(answer.vm, "VM in the answer");
          printResource(session, { schema: HostVmSchema, message: vm }, () => `${vm.displayName} ${done}\n`);
        }),
      );
  }
}
