/** `template prefetch`: has hosts pull a template's image before a VM of it is wanted. */
import { required } from "../../shared/assert.ts";
import { sleep } from "../../shared/clock.ts";
import { type ImagePrefetch, type Template, TemplateSchema } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { resourceName } from "../values/name.ts";
import { examples } from "../verbs.ts";
import { openProgressLine } from "../vm/progress.ts";
import { formatPrefetch } from "./image-view.ts";

/** How long to wait before the next look: it is hosts that change, so that a watch of the template would tell nothing. */
const lookPeriodMs = 1000;

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
    .addHelpText("after", examples("template prefetch macos-15", "template prefetch macos-15 mac-1 mac-2 --wait"))
    .action((text, hosts, { wait }, command) =>
      withSession(terminal, command, async (session) => {
        const name = resourceName("templates", text);
        const request = { name, hosts: hosts.map((host) => resourceName("hosts", host)) };
        const begun = required((await session.templates.prefetchTemplate(request, session.call)).template, "template");
        const message = wait === true ? await untilEnded(session, begun) : begun;
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
async function untilEnded(session: Session, begun: Template): Promise<Template> {
  const { clock, interrupted } = session.terminal;
  const line = openProgressLine(session.terminal);
  const { name } = begun;
  for (let template = begun; ; ) {
    const prefetch = template.status?.prefetch;
    if (prefetch === undefined || hasEnded(prefetch)) {
      line.clear();
      if (prefetch === undefined) return template;
      throw new Failure(`${name} is not on all hosts: ${formatPrefetch(prefetch)}`, { exitCode: exitCodes.failed });
    }
    line.show(`${name}: ${formatPrefetch(prefetch)}`);
    await sleep(clock, lookPeriodMs, interrupted);
    template = required((await session.templates.getTemplate({ name }, session.call)).template, "template");
  }
}

function hasEnded({ waitingHosts, pullingHosts, failedHosts }: ImagePrefetch): boolean {
  const isRetried = failedHosts.some(({ retryTime }) => retryTime !== undefined);
  return waitingHosts.length === 0 && pullingHosts.length === 0 && !isRetried;
}
