/** The flags that describe a wanted VM, shared by create, clone and plan, and the spec that they make. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, Option, type OptionValues } from "@commander-js/extra-typings";
import type { LabelExpression, ReadinessProbe } from "../../shared/gen/es/meridian/v1/types_pb.ts";
import {
  VmSpec_OnHostLost as OnHostLost,
  VmPlacement_Strategy as Strategy,
  type VmPlacement_Strategy,
  type VmSpec_OnHostLost,
  type VmSpec_Wanted,
  type VmSpecSchema,
  VmSpec_Wanted as Wanted,
} from "../../shared/gen/es/meridian/v1/vm_pb.ts";
import { type ArchitectureWord, architectures, architectureWords } from "../values/architecture.ts";
import { parseDurationMs } from "../values/duration.ts";
import { collectLabel, type Labels } from "../values/label.ts";
import { collectLabelExpression } from "../values/label-expression.ts";
import { resourceName, shortName } from "../values/name.ts";
import { wholeNumber } from "../values/number.ts";
import { parseReadiness } from "../values/readiness.ts";
import { parseSizeMib } from "../values/size.ts";

const strategies = { pack: Strategy.PACK, spread: Strategy.SPREAD } as const satisfies Record<
  string,
  VmPlacement_Strategy
>;

const wantedStates = {
  running: Wanted.RUNNING,
  stopped: Wanted.STOPPED,
  suspended: Wanted.SUSPENDED,
  paused: Wanted.PAUSED,
} as const satisfies Record<string, VmSpec_Wanted>;

const hostLossPolicies = {
  keep: OnHostLost.KEEP,
  fail: OnHostLost.FAIL,
  replace: OnHostLost.REPLACE,
} as const satisfies Record<string, VmSpec_OnHostLost>;

/** What the flags below leave behind. */
export interface SpecFlags {
  readonly template?: string | undefined;
  readonly cpu?: number | undefined;
  readonly memory?: number | undefined;
  readonly disk?: number | undefined;
  readonly arch?: ArchitectureWord | undefined;
  readonly host?: string | undefined;
  readonly require?: readonly LabelExpression[] | undefined;
  readonly prefer?: readonly LabelExpression[] | undefined;
  readonly spreadKey?: string | undefined;
  readonly strategy?: keyof typeof strategies | undefined;
  readonly project?: string | undefined;
  readonly priority?: number | undefined;
  readonly label?: Labels | undefined;
  readonly annotation?: Labels | undefined;
  readonly wanted?: keyof typeof wantedStates | undefined;
  readonly pendingTimeout?: number | undefined;
  readonly lease?: number | undefined;
  readonly maxLifetime?: number | undefined;
  readonly onHostLost?: keyof typeof hostLossPolicies | undefined;
  readonly retries?: number | undefined;
  readonly preemptible?: boolean | undefined;
  readonly ready?: ReadinessProbe | undefined;
}

/** What a copy may have of its own; the rest comes from the original. */
export function addCopyFlags<Args extends unknown[], Flags extends OptionValues>(command: Command<Args, Flags>) {
  return command
    .addOption(new Option("--cpu <count>", "virtual CPUs (default: the template's)").argParser(wholeNumber(1, 1024)))
    .addOption(
      new Option("--memory <size>", "such as 8192 (MiB) or 8GiB (default: the template's)").argParser(parseSizeMib),
    )
    .addOption(new Option("--project <project>", "whose it is (default: default)"))
    .addOption(
      new Option("--priority <number>", "0 to 100; the highest is placed first (default: 50)").argParser(
        wholeNumber(0, 100),
      ),
    )
    .addOption(new Option("--label <key=value>", "a fact to select by; may be repeated").argParser(collectLabel))
    .addOption(
      new Option("--annotation <key=value>", "a fact to keep, such as a build's URL; may be repeated").argParser(
        collectLabel,
      ),
    )
    .addOption(new Option("--wanted <state>", "what it shall be (default: running)").choices(wordsOf(wantedStates)))
    .addOption(
      new Option("--pending-timeout <duration>", "fail if no host was found by then (default: wait)").argParser(
        parseDurationMs,
      ),
    )
    .addOption(
      new Option("--lease <duration>", "delete it unless it is renewed in time (default: it stays)").argParser(
        parseDurationMs,
      ),
    )
    .addOption(
      new Option("--max-lifetime <duration>", "delete it then, however often it was renewed").argParser(
        parseDurationMs,
      ),
    )
    .addOption(
      new Option("--on-host-lost <policy>", "what becomes of it then (default: keep)").choices(
        wordsOf(hostLossPolicies),
      ),
    )
    .addOption(
      new Option("--retries <count>", "other hosts to try if it cannot be made or started (default: 0)").argParser(
        wholeNumber(0, 10),
      ),
    )
    .addOption(
      new Option("--preemptible", "it may be ended early: by drains, and with notice for VMs of higher priority"),
    )
    .addOption(
      new Option("--ready <probe>", "what proves it ready: tools, none, tcp:22 or exec:COMMAND").argParser(
        parseReadiness,
      ),
    );
}

/** Everything that a new VM may have. */
export function addSpecFlags<Args extends unknown[], Flags extends OptionValues>(command: Command<Args, Flags>) {
  return addCopyFlags(command.option("--template <template>", "what it is made of"))
    .addOption(
      new Option("--disk <size>", "the most that its disk may grow to (default: the template's)").argParser(
        parseSizeMib,
      ),
    )
    .addOption(new Option("--arch <architecture>", "of the host (default: the template's)").choices(architectureWords))
    .addOption(new Option("--host <host>", "only this host"))
    .addOption(
      new Option(
        "--require <expression>",
        "of a host's labels: key=value, key=a,b, key!=value, key, !key, key>8, key<8; may be repeated",
      ).argParser(collectLabelExpression),
    )
    .addOption(
      new Option("--prefer <expression>", "as --require, but only preferred; may be repeated").argParser(
        collectLabelExpression,
      ),
    )
    .addOption(new Option("--spread-key <key>", "prefer hosts with fewer VMs that share this label's value"))
    .addOption(
      new Option("--strategy <strategy>", "how VMs share the hosts (default: the pool's setting)").choices(
        wordsOf(strategies),
      ),
    );
}

/** The spec that the flags describe. */
export function specFrom(flags: SpecFlags): MessageInitShape<typeof VmSpecSchema> {
  return {
    ...(flags.template !== undefined && { template: resourceName("templates", flags.template) }),
    resources: { cpuCount: flags.cpu ?? 0, memoryMib: flags.memory ?? 0, diskMib: flags.disk ?? 0 },
    placement: {
      ...(flags.arch !== undefined && { architecture: architectures[flags.arch] }),
      ...(flags.host !== undefined && { host: resourceName("hosts", flags.host) }),
      required: [...(flags.require ?? [])],
      preferred: [...(flags.prefer ?? [])],
      spreadKey: flags.spreadKey ?? "",
      ...(flags.strategy !== undefined && { strategy: strategies[flags.strategy] }),
    },
    ...(flags.project !== undefined && { project: shortProject(flags.project) }),
    ...(flags.priority !== undefined && { priority: flags.priority }),
    ...(flags.wanted !== undefined && { wanted: wantedStates[flags.wanted] }),
    ...(flags.pendingTimeout !== undefined && { pendingTimeout: durationFromMs(flags.pendingTimeout) }),
    ...(flags.lease !== undefined && { leaseDuration: durationFromMs(flags.lease) }),
    ...(flags.maxLifetime !== undefined && { maxLifetime: durationFromMs(flags.maxLifetime) }),
    ...(flags.onHostLost !== undefined && { onHostLost: hostLossPolicies[flags.onHostLost] }),
    ...(flags.retries !== undefined && { retryAttempts: flags.retries }),
    ...(flags.preemptible === true && { preemptible: true }),
    ...(flags.ready !== undefined && { readiness: flags.ready }),
    labels: { ...flags.label },
    annotations: { ...flags.annotation },
  };
}

/** A VM's spec names its project without the collection. */
function shortProject(text: string): string {
  return shortName(resourceName("projects", text));
}

/** The keys of a table of words, with their types. */
function wordsOf<Word extends string>(table: Readonly<Record<Word, unknown>>): readonly Word[] {
  // Object.keys forgets the keys' types; the table is written out above.
  return Object.keys(table) as Word[];
}
