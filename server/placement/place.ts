/** Placement: the host that a VM gets, or the fact that it fits nowhere. A pure function of the pool. */
import type { HostId } from "../../shared/ids.ts";
import type { HostRecord } from "../pool/host.ts";
import type { Shape } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import { candidateOf, refusingFilter } from "./filters.ts";
import { type ScoredVm, scoreOf } from "./scores.ts";

/** A host that passes all filters, and its score for a VM. */
export interface RankedHost {
  readonly host: HostId;
  readonly score: number;
}

/**
 * The host with the highest score among those that pass all filters, ties going to the lowest id; nothing if there is none.
 * @param among the hosts to look at: a few, or all of them for a single answer; a `HostRanking` answers many.
 */
export function chooseHost(
  view: PlacementView,
  vm: ScoredVm,
  { shape, among }: { readonly shape: Shape; readonly among: Iterable<HostRecord> },
): HostId | undefined {
  let best: RankedHost | undefined;
  for (const host of among) {
    const candidate = candidateOf(view, host);
    if (refusingFilter(candidate, shape) !== undefined) continue;
    const ranked = { host: host.id, score: scoreOf(candidate, vm, view) };
    if (best === undefined || isBetter(ranked, best)) best = ranked;
  }
  return best?.host;
}

/** Whether `a` is taken rather than `b`: by score, and by id where scores are equal, so that an answer can be repeated. */
export function isBetter(a: RankedHost, b: RankedHost): boolean {
  return a.score === b.score ? a.host < b.host : a.score > b.score;
}
