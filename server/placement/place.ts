/** Placement: the host that a VM gets, or the fact that it fits nowhere. A pure function of the pool. */
import type { HostId } from "../../shared/ids.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Shape } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import { candidateOf, refusingFilter } from "./filters.ts";
import { type ScoredVm, scoreOf } from "./scores.ts";

/**
 * The host with the highest score among those that pass all filters, ties going to the lowest id; nothing if there is none.
 * @param among the hosts to look at.
 */
export function chooseHost(
  view: PoolView,
  vm: ScoredVm,
  { shape, among }: { readonly shape: Shape; readonly among: Iterable<HostRecord> },
): HostId | undefined {
  let best: HostId | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const host of among) {
    const candidate = candidateOf(view, host);
    if (refusingFilter(candidate, shape) !== undefined) continue;
    const score = scoreOf(candidate, vm, view);
    if (score < bestScore || (score === bestScore && best !== undefined && host.id > best)) continue;
    best = host.id;
    bestScore = score;
  }
  return best;
}
