/** `template taint`, `template revoke` and `template restore`. */
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import { type Template, TemplateSchema } from "../../shared/gen/es/meridian/v1/template_pb.ts";
import type { RevokeTemplateResponse } from "../../shared/gen/es/meridian/v1/template_service_pb.ts";
import { wrongUsage } from "../failure.ts";
import type { Program } from "../program-type.ts";
import { printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { parseDurationMs } from "../values/duration.ts";
import { resourceName } from "../values/name.ts";
import { examples, forEachName, requireFlag } from "../verbs.ts";
import { purgeAndWait } from "./purge.ts";
import { templateState } from "./views.ts";

export function registerTemplateJudge(noun: Program, terminal: Terminal): void {
  noun
    .command("taint")
    .argument("<template...>", "the templates' names")
    .summary("warn of a template")
    .description("Warns of a template: it can still be used, and its new VMs say that it is tainted.")
    .option("--reason <text>", "why, for people")
    .addHelpText("after", examples("template taint macos-14 --reason 'Xcode 15 leaves this month'"))
    .action((names, { reason }, command) =>
      withSession(terminal, command, (session) => {
        const wish = { reason: requireFlag(reason, "--reason", "meridian template taint macos-14 --reason 'too old'") };
        return judgeTemplates(session, names, (name) =>
          session.templates.taintTemplate({ name, ...wish }, session.call),
        );
      }),
    );

  noun
    .command("revoke")
    .argument("<template...>", "the templates' names")
    .summary("forbid a template")
    .description(
      "Forbids a template at once: no VM of it is made any more, those that wait fail, and those that are being made are " +
        "deleted. VMs that had come up go on, unless --stop-running is given.",
    )
    .option("--reason <text>", "why, for people")
    .option("--stop-running", "cut the power of its VMs as well, and let nobody start them again")
    .option("--purge", "remove its images from the caches of all hosts as well; of one that is away, when it returns")
    .option("--wait", "with --purge: wait until no host has its image")
    .addOption(
      new Option("--timeout <duration>", "how long to wait with --wait (default: without a bound)").argParser(
        parseDurationMs,
      ),
    )
    .addHelpText(
      "after",
      examples(
        "template revoke macos-14 --reason 'CVE-2026-0001'",
        "template revoke macos-14 --reason 'signing key leaked' --stop-running",
        "template revoke macos-14 --reason 'signing key leaked' --purge --wait --timeout 1h",
      ),
    )
    .action((names, { reason, stopRunning = false, purge = false, wait, timeout }, command) =>
      withSession(terminal, command, (session) => {
        const example = "meridian template revoke macos-14 --reason 'CVE-2026-0001'";
        const wish = { reason: requireFlag(reason, "--reason", example), stopRunning, purgeImages: purge };
        if (wait === true && !purge)
          throw wrongUsage("--wait is only for --purge", "A revocation itself takes no time.");
        if (timeout !== undefined && wait !== true) throw wrongUsage("--timeout is only for --wait", "Add --wait.");
        const revoke = (name: string): Promise<RevokeTemplateResponse> =>
          session.templates.revokeTemplate({ name, ...wish }, session.call);
        if (wait === true) return purgeAndWait(session, names, { revoke, timeoutMs: timeout });
        return judgeTemplates(session, names, revoke);
      }),
    );

  noun
    .command("restore")
    .argument("<template...>", "the templates' names")
    .summary("allow a template again")
    .description("Takes back that a template is tainted or revoked. What its revocation has ended stays so.")
    .addHelpText("after", examples("template restore macos-14"))
    .action((names, _options, command) =>
      withSession(terminal, command, (session) =>
        judgeTemplates(session, names, (name) => session.templates.restoreTemplate({ name }, session.call)),
      ),
    );
}

function judgeTemplates(
  session: Session,
  names: readonly string[],
  judge: (name: string) => Promise<{ readonly template?: Template | undefined }>,
): Promise<void> {
  return forEachName(session, names, async (text) => {
    const message = required((await judge(resourceName("templates", text))).template, "template in the answer");
    printResource(session, { schema: TemplateSchema, message }, () => `${message.name} is ${templateState(message)}\n`);
  });
}
