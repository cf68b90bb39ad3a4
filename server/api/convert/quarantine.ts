/** What is told of VMs that could not be made: the quarantine of a host, and how a template has been failing. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type HostStatus,
  type HostStatusSchema,
  HostQuarantine_Phase as Phase,
} from "../../../shared/gen/es/meridian/v1/host_pb.ts";
import type { TemplateStatus, TemplateStatusSchema } from "../../../shared/gen/es/meridian/v1/template_pb.ts";
import type { ConditionSchema } from "../../../shared/gen/es/meridian/v1/types_pb.ts";
import type { HostRecord } from "../../pool/host.ts";
import type { PoolSettings } from "../../pool/settings/settings.ts";
import type { TemplateRecord } from "../../pool/template.ts";
import { isSuspicious, isToBlame, type Quarantine } from "../../pool/trouble.ts";
import { nameOf } from "../resource-name.ts";
import { toTimestamp } from "./time.ts";
import { toCondition } from "./types.ts";

/** Parts of the status, to be put together. */
type HostPart = Exclude<MessageInitShape<typeof HostStatusSchema>, HostStatus>;
type TemplatePart = Exclude<MessageInitShape<typeof TemplateStatusSchema>, TemplateStatus>;

const phases = { isolated: Phase.ISOLATED, probing: Phase.PROBING } as const;

export function quarantineOf({ trouble }: HostRecord): HostPart {
  if (trouble === undefined) return {};
  const { quarantine } = trouble;
  return {
    recentFailures: trouble.failures.length,
    quarantineCount: trouble.quarantineCount,
    ...(quarantine === undefined
      ? {}
      : {
          quarantine: {
            phase: phases[quarantine.phase],
            since: toTimestamp(quarantine.sinceMs),
            until: toTimestamp(quarantine.untilMs),
            round: quarantine.round,
            message: quarantine.message,
            hasProbe: quarantine.probe !== undefined,
          },
        }),
  };
}

/** "Quarantined", while VMs keep failing on the host. */
export function quarantineConditions(
  { trouble }: HostRecord,
  settings: PoolSettings,
): MessageInitShape<typeof ConditionSchema>[] {
  if (trouble === undefined) return [];
  const { quarantine, failures } = trouble;
  const type = "Quarantined";
  if (quarantine !== undefined) {
    const [reason, message] = describeQuarantine(quarantine);
    return [toCondition({ type, holds: true, reason, message, sinceMs: quarantine.sinceMs })];
  }
  if (!isSuspicious(trouble, settings)) return [];
  const message = `${failures.length} VMs failed here, and as many hosts as may be are in quarantine already`;
  const sinceMs = failures.at(-1)?.timeMs ?? 0;
  return [toCondition({ type, holds: false, reason: "QuarantineFull", message, sinceMs })];
}

/** "Healthy", and what fails. */
export function healthOf(template: TemplateRecord, settings: PoolSettings): TemplatePart {
  const { trouble } = template;
  const isBlamed = isToBlame(trouble, settings);
  const failedOn = trouble?.failures.length ?? 0;
  const condition = toCondition({
    type: "Healthy",
    holds: !isBlamed,
    reason: isBlamed ? "FailsOnSeveralHosts" : "NothingKnownAgainstIt",
    message: isBlamed ? `its VMs fail on ${failedOn} hosts, which are not blamed for it` : "",
    sinceMs: isBlamed ? (trouble?.failures[0]?.timeMs ?? 0) : template.createTimeMs,
  });
  const newest = trouble?.failures.at(-1);
  if (trouble === undefined || newest === undefined) return { conditions: [condition] };
  return {
    conditions: [condition],
    failures: {
      hosts: trouble.failures.map(({ host }) => nameOf("hosts", host)),
      workingHosts: trouble.madeOn.length,
      failureRate: failedOn / (failedOn + trouble.madeOn.length),
      lastTime: toTimestamp(newest.timeMs),
    },
  };
}

function describeQuarantine({ phase, round, untilMs, message, probe }: Quarantine): readonly [string, string] {
  if (phase === "isolated") {
    const until = new Date(untilMs).toISOString();
    return ["Isolated", `round ${round}, until ${until}: ${message}`];
  }
  const trial = probe === undefined ? "the next VM is a trial" : "one VM is on trial";
  return ["Probing", `${trial}: ${message}`];
}
