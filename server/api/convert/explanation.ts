/** What placement tells of a VM, as clients see it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  HostVerdictSchema,
  PlacementExplanationSchema,
} from "../../../shared/gen/es/meridian/v1/vm_service_pb.ts";
import type { HostVerdict, PlacementExplanation } from "../../placement/explanation.ts";
import { nameOf } from "../resource-name.ts";

export function toExplanation(explanation: PlacementExplanation): MessageInitShape<typeof PlacementExplanationSchema> {
  const { summary, host, queuePosition, queueLength } = explanation;
  return {
    summary,
    host: host === undefined ? "" : nameOf("hosts", host),
    refusalCounts: explanation.refusalCounts.map((count) => ({ ...count })),
    verdicts: explanation.verdicts.map(toVerdict),
    queuePosition,
    queueLength,
  };
}

function toVerdict(verdict: HostVerdict): MessageInitShape<typeof HostVerdictSchema> {
  const host = nameOf("hosts", verdict.host);
  if (!verdict.fits) return { host, fits: false, filter: verdict.filter, message: verdict.message };
  return { host, fits: true, score: verdict.score, terms: verdict.terms.map((term) => ({ ...term })) };
}
