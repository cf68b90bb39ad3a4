/** `host cordon`, `uncordon`, `release`, `drain`, `label` and `delete`. */
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { Code, ConnectError } from "@connectrpc/connect";
import { required } from "../../shared/assert.ts";
import { type Host, HostDrain_Then, HostSchema } from "../../shared/gen/es/meridian/v1/host_pb.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { type LabelChanges, parseLabelChanges } from "../values/label.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName } from "../verbs.ts";
import { drainAndWait } from "./drain.ts";
import { hostSentence, hostState } from "./views.ts";

const thens = { "stay-cordoned": HostDrain_Then.STAY_CORDONED, uncordon: HostDrain_Then.UNCORDON } as const;

/** Somebody else may change the host between our reading and writing; a few times in a row is bad luck, more is a fight. */
const labelAttemptsMax = 5;

export function registerHostChange(noun: Program, terminal: Terminal): void {
  noun
    .command("cordon")
    .argument("<host...>", "the hosts' names")
    .summary("place no new VMs on a host")
    .description("Places no new VMs on the host. What is there stays.")
    .addHelpText("after", examples("host cordon mac-1", "host cordon mac-1 mac-2"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        changeHosts(session, names, (name) => session.hosts.cordonHost({ name }, session.call)),
      ),
    );

  noun
    .command("uncordon")
    .argument("<host...>", "the hosts' names")
    .summary("place VMs on a host again")
    .description("Places VMs on the host again, and ends a drain.")
    .addHelpText("after", examples("host uncordon mac-1"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        changeHosts(session, names, (name) => session.hosts.uncordonHost({ name }, session.call)),
      ),
    );

  noun
    .command("release")
    .argument("<host...>", "the hosts' names")
    .summary("end a host's quarantine")
    .description(
      "Ends the quarantine of a host on which VMs kept failing, once its cause has been seen to, and forgets what failed " +
        "there. A cordon stays.",
    )
    .addHelpText("after", examples("host release mac-1"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        changeHosts(session, names, (name) => session.hosts.releaseHost({ name }, session.call)),
      ),
    );

  noun
    .command("drain")
    .argument("<host...>", "the hosts' names")
    .summary("empty a host")
    .description("Cordons the host and ends what is there: by a deadline, or as its VMs end by themselves.")
    .addOption(
      new Option("--deadline <duration>", "then VMs still there are deleted; 0 for at once (default: never)").argParser(
        parseDurationMs,
      ),
    )
    .option("--reason <text>", "why, for people", "")
    .addOption(
      new Option("--then <action>", "once it is empty")
        .choices(["stay-cordoned", "uncordon"])
        .default("stay-cordoned" as const),
    )
    .option("--wait", "until it is empty, showing how many VMs are left")
    .addOption(
      new Option("--timeout <duration>", "how long to wait with --wait (default: without a bound)").argParser(
        parseDurationMs,
      ),
    )
    .addHelpText(
      "after",
      examples(
        "host drain mac-1",
        "host drain mac-1 --deadline 30m --reason 'macOS update' --then uncordon",
        "host drain mac-1 mac-2 --deadline 2h --wait",
      ),
    )
    .action((names, { deadline, reason, then, wait, timeout }, command) =>
      withSession(terminal, command, async (session) => {
        const request = { reason, ...(deadline !== undefined && { deadline: durationFromMs(deadline) }) };
        const drain = (name: string) =>
          // oxlint-disable-next-line unicorn/no-thenable -- the protocol's field; its value is no function
          session.hosts.drainHost({ ...request, name, then: thens[then] }, session.call);
        if (wait === true) await drainAndWait(session, names, { drain, timeoutMs: timeout });
        else await changeHosts(session, names, drain);
      }),
    );

  noun
    .command("label")
    .argument("<host>", "the host's name")
    .argument("<label...>", "key=value sets a label, key- removes one")
    .summary("set and remove labels of a host")
    .description(
      "Sets and removes labels of a host. Labels that its agent was started with stay, unless one set here hides them.",
    )
    .addHelpText("after", examples("host label mac-1 disk=ssd team=ios", "host label mac-1 disk-"))
    .action((text, texts, _options, command) =>
      withSession(terminal, command, (session) => {
        const wanted = labelChanges(texts);
        return changeHosts(session, [text], (name) => updateLabels(session, name, wanted));
      }),
    );

  noun
    .command("revoke")
    .argument("<host...>", "the hosts' names")
    .summary("refuse a host's certificates at once")
    .description(
      "Refuses everything that the host could prove itself with, at once: its session ends, its VMs run on until their leases " +
        "end, and it comes back only with a new join token. For a Mac that was lost or sold, or whose key got out.",
    )
    .addHelpText("after", examples("host revoke mac-1"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("hosts", text);
          const message = required((await session.hosts.revokeHost({ name }, session.call)).host, "host in the answer");
          printResource(
            session,
            { schema: HostSchema, message },
            () => `${name}: its certificates are refused from now on\n`,
          );
        }),
      ),
    );

  noun
    .command("delete")
    .argument("<host...>", "the hosts' names")
    .summary("forget a host")
    .description(
      "Forgets a host that is not connected, and refuses its certificates. With --insecure, an agent that still runs there brings it back.",
    )
    .option("--force", "even though VMs stand there; their records end as failed")
    .addHelpText("after", examples("host delete mac-1", "host delete mac-1 --force"))
    .action((names, { force }, command) =>
      withSession(terminal, command, (session) =>
        forEachName(session, names, async (text) => {
          const name = resourceName("hosts", text);
          await session.hosts.deleteHost({ name, force: force === true }, session.call);
          if (!session.isJson) terminal.stdout.write(`${name} deleted\n`);
        }),
      ),
    );
}

async function changeHosts(
  session: Session,
  names: readonly string[],
  change: (name: string) => Promise<{ readonly host?: Host | undefined }>,
): Promise<void> {
  await forEachName(session, names, async (text) => {
    const host = required((await change(resourceName("hosts", text))).host, "host in the answer");
    printResource(session, { schema: HostSchema, message: host }, () => {
      const note = hostSentence(host);
      return `${host.name} ${hostState(host)}${note === "" ? "" : `, ${note}`}\n`;
    });
  });
}

async function updateLabels(session: Session, name: string, { set, removed }: LabelChanges) {
  for (let attempt = 1; ; attempt += 1) {
    const host = required((await session.hosts.getHost({ name }, session.call)).host, "host in the answer");
    const labels = { ...host.spec?.labels, ...set };
    for (const key of removed) delete labels[key];
    try {
      return await session.hosts.updateHost(
        { host: { name, etag: host.etag, spec: { labels } }, updateMask: { paths: ["spec.labels"] } },
        session.call,
      );
    } catch (error) {
      const isOvertaken = error instanceof ConnectError && error.code === Code.Aborted;
      if (!isOvertaken || attempt === labelAttemptsMax) throw error;
    }
  }
}

function labelChanges(texts: readonly string[]): LabelChanges {
  try {
    return parseLabelChanges(texts);
  } catch (error) {
    throw error instanceof InvalidArgumentError ? wrongUsage(error.message) : error;
  }
}
