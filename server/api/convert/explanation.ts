/** What placement tells of a VM, as clients see it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type HostVerdictSchema,
  type PlacementExplanationSchema,
  WaitEstimate_Certainty,
  type WaitEstimateSchema,
} from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { HostVerdict, PlacementExplanation } from "../../placement/explanation.ts";
import type { WaitEstimate } from "../../placement/wait-estimate.ts";
import { nameOf } from "../resource-name.ts";
import { toDuration } from "./time.ts";

export function toExplanation(explanation: PlacementExplanation): MessageInitShape<typeof PlacementExplanationSchema> {
  const { summary, host, queuePosition, queueLength } = explanation;
  return {
    summary,
    host: host === undefined ? "" : nameOf("hosts", host),
    refusalCounts: explanation.refusalCounts.map((count) => ({ ...count })),
    verdicts: explanation.verdicts.map(toVerdict),
    queuePosition,
    queueLength,
    fitNow: explanation.fitNow ?? 0,
    ...(explanation.estimate === undefined ? {} : { estimate: toEstimate(explanation.estimate) }),
  };
}

const certainties = {
  low: WaitEstimate_Certainty.LOW,
  medium: WaitEstimate_Certainty.MEDIUM,
  high: WaitEstimate_Certainty.HIGH,
} as const;

function toEstimate(estimate: WaitEstimate): MessageInitShape<typeof WaitEstimateSchema> {
  return {
    wait: toDuration(estimate.waitMs),
    waitAtWorst: toDuration(estimate.longMs),
    observedVms: estimate.observed,
    certainty: certainties[estimate.certainty],
  };
}

function toVerdict(verdict: HostVerdict): MessageInitShape<typeof HostVerdictSchema> {
  const host = nameOf("hosts", verdict.host);
  if (!verdict.fits) return { host, fits: false, filter: verdict.filter, message: verdict.message };
  return { host, fits: true, score: verdict.score, terms: verdict.terms.map((term) => ({ ...term })) };
}
