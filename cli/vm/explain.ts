/** `vm explain` and `vm plan`: why a VM waits or stands where it does, host by host. */

import { durationMs } from "@bufbuild/protobuf/wkt";
import { Option } from "@commander-js/extra-typings";
import { required } from "../../shared/assert.ts";
import type { HostVerdict, PlacementExplanation, WaitEstimate } from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import {
  PlacementExplanationSchema,
  WaitEstimate_CertaintySchema,
} from "../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { Column } from "../output/table.ts";
import type { Program } from "../program-type.ts";
import { detailView, printResource, type Session, withSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { formatDuration } from "../values/duration.ts";
import { enumWord } from "../values/enum.ts";
import { resourceName, shortName } from "../values/name.ts";
import { wholeNumber } from "../values/number.ts";
import { examples, requireFlag } from "../verbs.ts";
import { addSpecFlags, specFrom } from "./spec-flags.ts";

export function registerExplain(noun: Program, terminal: Terminal): void {
  noun
    .command("explain")
    .argument("<vm>", "the VM's name")
    .summary("say why a VM waits, or why it stands where it stands")
    .description("Says host by host why a VM waits, or why it stands where it stands.")
    .addHelpText("after", examples("vm explain build-1"))
    .action((text, _options, command) =>
      withSession(terminal, command, async (session) => {
        const answer = await session.vms.explainVm({ name: resourceName("vms", text) }, session.call);
        printExplanation(session, required(answer.explanation, "explanation in the answer"));
      }),
    );

  addSpecFlags(noun.command("plan"))
    .addOption(new Option("--count <number>", "how many such VMs").argParser(wholeNumber(1, 10_000)).default(1))
    .summary("say where a VM would go, without making it")
    .description("Says host by host what would happen to a VM that is asked for with these flags. Changes nothing.")
    .addHelpText(
      "after",
      examples(
        "vm plan --template macos-15 --memory 32GiB",
        "vm plan --template macos-15 --count 12",
        "vm plan --template linux --require disk=ssd",
      ),
    )
    .action((options, command) =>
      withSession(terminal, command, async (session) => {
        requireFlag(options.template, "--template", "meridian vm plan --template macos-15");
        const answer = await session.vms.planVm({ spec: specFrom(options), count: options.count }, session.call);
        printExplanation(session, required(answer.explanation, "explanation in the answer"));
      }),
    );
}

const columns: readonly Column<HostVerdict>[] = [
  { title: "HOST", text: ({ host }) => shortName(host) },
  { title: "FITS", text: ({ fits }) => (fits ? "yes" : "no"), tone: ({ fits }) => (fits ? "good" : "bad") },
  { title: "SCORE", text: ({ fits, score }) => (fits ? score.toFixed(2) : "-"), align: "right" },
  { title: "WHY", text: whyOf },
];

/** The filter's sentence, or what the score is made of, the heaviest part first. */
function whyOf({ fits, filter, message, terms }: HostVerdict): string {
  if (!fits || message !== "") return message || filter;
  return [...terms]
    .sort((a, b) => b.value * b.weight - a.value * a.weight)
    .map(({ name, value, weight }) => `${name.replaceAll("_", " ")} ${(value * weight).toFixed(2)}`)
    .join(", ");
}

function printExplanation(session: Session, explanation: PlacementExplanation): void {
  printResource(session, { schema: PlacementExplanationSchema, message: explanation }, () => {
    const { summary, host, queuePosition, queueLength, refusalCounts, verdicts, estimate } = explanation;
    return detailView(session)
      .sentence(summary)
      .facts([
        ["Host", host],
        ["Place in the queue", queuePosition === 0 ? "" : `${queuePosition} of ${queueLength}`],
        ["Probable wait", estimate === undefined ? "" : describeEstimate(estimate)],
        ["Refused by", refusalCounts.map(({ message, filter, hosts }) => message || `${filter} (${hosts})`).join("; ")],
      ])
      .table("Hosts", verdicts, columns)
      .toString();
  });
}

/** Such as "6m, 15m at worst (of 120 such VMs; certainty high)". */
function describeEstimate({ wait, waitAtWorst, observedVms, certainty }: WaitEstimate): string {
  const [usual, worst] = [wait, waitAtWorst].map((span) => formatDuration(span === undefined ? 0 : durationMs(span)));
  return `${usual}, ${worst} at worst (of ${observedVms} such VMs; certainty ${enumWord(WaitEstimate_CertaintySchema, certainty)})`;
}
