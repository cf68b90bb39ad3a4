/** `template prefetch`: has hosts pull a template's image before a VM of it is wanted. */
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { type ImagePrefetch, type Template, TemplateSchema } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure, wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { resourceName, shortName } from "../values/name.ts";
import { examples } from "../verbs.ts";
import { openProgressLine } from "../vm/progress.ts";
import { formatPrefetch } from "./image-view.ts";
import { lookUntilEnded } from "./look.ts";

export function registerTemplatePrefetch(noun: Program, terminal: Terminal): void {
  noun
    .command("prefetch")
    .argument("<template>", "the template's name")
    .argument("[host...]", "the hosts (default: all of its architecture that are schedulable)")
    .summary("have hosts pull a template's image")
    .description(
      "Has hosts pull a template's image before a VM of it is wanted, a few at a time. Those that have it are left out.",
    )
    .option("--wait", "wait until all have it, or cannot get it")
    .addOption(
      new Option("--timeout <duration>", "how long to wait with --wait (default: without a bound)").argParser(
        parseDurationMs,
      ),
    )
    .addHelpText("after", examples("template prefetch macos-15", "template prefetch macos-15 mac-1 mac-2 --wait"))
    .action((text, hosts, { wait, timeout }, command) =>
      withSession(terminal, command, async (session) => {
        if (timeout !== undefined && wait !== true) throw wrongUsage("--timeout is only for --wait", "Add --wait.");
        const name = resourceName("templates", text);
        const request = { name, hosts: hosts.map((host) => resourceName("hosts", host)) };
        const begun = required((await session.templates.prefetchTemplate(request, session.call)).template, "template");
        const message = wait === true ? await untilEnded(session, begun, timeout) : begun;
        const { prefetch } = message.status ?? {};
        printResource(session, { schema: TemplateSchema, message }, () =>
          prefetch === undefined
            ? `${name} is on all hosts that were asked\n`
            : `${name} is being pulled: ${formatPrefetch(prefetch)}\n`,
        );
      }),
    );
}

/** Until no host pulls it, or is to pull it. Fails when one has given up. */
async function untilEnded(session: Session, begun: Template, timeoutMs: number | undefined): Promise<Template> {
  const line = openProgressLine(session.terminal);
  const { name } = begun;
  const wordsOf = ({ status }: Template): string =>
    status?.prefetch === undefined ? "" : formatPrefetch(status.prefetch);
  const template = await lookUntilEnded(session, begun, {
    timeoutMs,
    hasEnded: ({ status }) => status?.prefetch === undefined || hasEnded(status.prefetch),
    show: (shown) => line.show(`${name}: ${wordsOf(shown)}`),
    timedOut: (shown) =>
      new Failure(`${name} is not on all hosts yet: ${wordsOf(shown)}`, {
        exitCode: exitCodes.timedOut,
        hint: `It goes on without you: \`meridian template get ${shortName(name)}\` shows how far it is.`,
      }),
  }).finally(() => line.clear());
  if (template.status?.prefetch === undefined) return template;
  throw new Failure(`${name} is not on all hosts: ${wordsOf(template)}`, { exitCode: exitCodes.failed });
}

function hasEnded({ waitingHosts, pullingHosts, failedHosts }: ImagePrefetch): boolean {
  const isRetried = failedHosts.some(({ retryTime }) => retryTime !== undefined);
  return waitingHosts.length === 0 && pullingHosts.length === 0 && !isRetried;
}
