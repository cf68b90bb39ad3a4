/** Answers "why is it waiting, or why there", for a VM that exists and for one that does not. */
import type { HostId } from "../../shared/ids.ts";
import type { HostRecord } from "../pool/host.ts";
import { resolveResources } from "../pool/image.ts";
import { type Shape, shapeOf } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmImage, VmRecord, VmSpec } from "../pool/vm.ts";
import { type HostVerdict, type PlacementExplanation, verdictsMax } from "./explanation.ts";
import { candidateOf, refusalOn, refusingFilter } from "./filters.ts";
import { isBetter, type RankedHost } from "./place.ts";
import { countRefusals, type RefusalCounts } from "./refusal-counts.ts";
import { type ScoredVm, scoreOf, scoreTerms } from "./scores.ts";

export function explainVm(view: PoolView, vm: VmRecord, nowMs: number): PlacementExplanation {
  const verdicts = judge(view, vm, shapeOf(vm));
  const counts = countRefusals(view, shapeOf(vm));
  const answer = { refusalCounts: counts.byFilter, verdicts, queueLength: view.waiting.size };
  const queuePosition = view.queuePosition(vm.id);
  if (queuePosition === 0) {
    const summary =
      vm.host === undefined ? `it is ${vm.state} and has no host` : `it stands on hosts/${vm.host} and is ${vm.state}`;
    return { ...answer, summary, queuePosition, ...(vm.host === undefined ? {} : { host: vm.host }) };
  }
  const place = `${ordinal(queuePosition)} of ${answer.queueLength} in the queue`;
  const summary = `waiting ${describeSpan(nowMs - vm.createTimeMs)}, ${place}: ${reasonToWait(view, vm, { counts, nowMs })}`;
  return { ...answer, summary, queuePosition, ...bestHost(verdicts) };
}

/** @param image what the spec resolves to. */
export function planVm(view: PoolView, spec: VmSpec, image: VmImage): PlacementExplanation {
  const resources = resolveResources(spec, image);
  const vm = { spec, image, resources };
  const verdicts = judge(view, vm, shapeOf(vm));
  const counts = countRefusals(view, shapeOf(vm));
  const best = bestHost(verdicts);
  const summary =
    best.host === undefined
      ? `it would wait: ${describeRefusals(view, counts)}`
      : `it would be placed on hosts/${best.host} now`;
  return {
    summary,
    refusalCounts: counts.byFilter,
    verdicts,
    queuePosition: 0,
    queueLength: view.waiting.size,
    ...best,
  };
}

/**
 * Why a VM waits, in one sentence that a CI log can show. It costs no look at the hosts unless one of them has moved, and a
 * record that is told of after its VM has found a host costs none at all.
 */
export function waitingSentence(view: PoolView, vm: VmRecord, nowMs: number): string {
  const queuePosition = view.queuePosition(vm.id);
  if (queuePosition === 0) return `no longer waiting: it is ${view.vms.get(vm.id)?.state ?? "gone"} by now`;
  const counts = countRefusals(view, shapeOf(vm));
  const span = describeSpan(nowMs - vm.createTimeMs);
  return `waiting ${span}, ${ordinal(queuePosition)} in the queue: ${reasonToWait(view, vm, { counts, nowMs })}`;
}

/** "3 min", "45 s", "a moment". */
export function describeSpan(spanMs: number): string {
  const seconds = Math.max(0, Math.round(spanMs / 1000));
  if (seconds === 0) return "a moment";
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

function reasonToWait(
  view: PoolView,
  vm: VmRecord,
  { counts, nowMs }: { readonly counts: RefusalCounts; readonly nowMs: number },
): string {
  if (vm.retryAtMs !== undefined && vm.retryAtMs > nowMs) {
    return `it is placed again in ${describeSpan(vm.retryAtMs - nowMs)}, since ${vm.message || "a host refused it"}`;
  }
  // Between two decisions: it, or one that goes before it, is about to be placed.
  return counts.hosts < view.hosts.size ? "a host has room, and is about to be chosen" : describeRefusals(view, counts);
}

/** What is said of each host, the best ones first; words are made only for those that are told. */
function judge(view: PoolView, vm: ScoredVm, shape: Shape): readonly HostVerdict[] {
  const fitting: RankedHost[] = [];
  const refused: HostRecord[] = [];
  for (const host of view.hosts.values()) {
    const candidate = candidateOf(view, host);
    if (refusingFilter(candidate, shape) !== undefined) refused.push(host);
    else fitting.push({ host: host.id, score: scoreOf(candidate, vm, view) });
  }
  fitting.sort((a, b) => (isBetter(a, b) ? -1 : 1));
  refused.sort((a, b) => (a.id < b.id ? -1 : 1));
  const verdicts: HostVerdict[] = fitting.slice(0, verdictsMax).flatMap(({ host: id, score }) => {
    const host = view.hosts.get(id);
    return host === undefined
      ? []
      : { host: id, fits: true, score, terms: scoreTerms(candidateOf(view, host), vm, view) };
  });
  for (const { id } of refused.slice(0, verdictsMax - verdicts.length)) {
    const refusal = refusalOn(view, id, shape);
    if (refusal !== undefined) verdicts.push({ host: id, fits: false, ...refusal });
  }
  return verdicts;
}

function describeRefusals(view: PoolView, counts: RefusalCounts): string {
  return view.hosts.size === 0 ? "no host has joined the pool" : counts.sentence;
}

function bestHost(verdicts: readonly HostVerdict[]): { readonly host?: HostId } {
  const best = verdicts[0];
  return best?.fits === true ? { host: best.host } : {};
}

const ordinalRules = new Intl.PluralRules("en", { type: "ordinal" });

function ordinal(position: number): string {
  const words = ["first", "second", "third"];
  const ending = { one: "st", two: "nd", few: "rd", other: "th", zero: "th", many: "th" };
  return words[position - 1] ?? `${position}${ending[ordinalRules.select(position)]}`;
}
