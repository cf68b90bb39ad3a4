/** Answers "why is it waiting, or why there", for a VM that exists and for one that does not. */
import type { HostId } from "../../shared/ids.ts";
import { resolveResources } from "../pool/image.ts";
import { type Shape, shapeOf } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmImage, VmRecord, VmSpec } from "../pool/vm.ts";
import { isBefore } from "../pool/waiting-queue.ts";
import { type HostVerdict, type PlacementExplanation, type RefusalCount, verdictsMax } from "./explanation.ts";
import { candidateOf, filters, refusingFilter } from "./filters.ts";
import { type ScoredVm, scoreTerms } from "./scores.ts";

export function explainVm(view: PoolView, vm: VmRecord, nowMs: number): PlacementExplanation {
  const shape = shapeOf(vm);
  const { verdicts, refusalCounts } = judge(view, vm, shape);
  const queueLength = view.waiting.size;
  if (!view.waiting.has(vm.id)) {
    const summary =
      vm.host === undefined ? `it is ${vm.state} and has no host` : `it stands on hosts/${vm.host} and is ${vm.state}`;
    return {
      summary,
      refusalCounts,
      verdicts,
      queuePosition: 0,
      queueLength,
      ...(vm.host === undefined ? {} : { host: vm.host }),
    };
  }
  const queuePosition = positionOf(view, vm);
  const place = `${ordinal(queuePosition)} of ${queueLength} in the queue`;
  const summary = `waiting ${describeSpan(nowMs - vm.createTimeMs)}, ${place}: ${reasonToWait(view, vm, { counts: refusalCounts, nowMs })}`;
  return { summary, refusalCounts, verdicts, queuePosition, queueLength, ...bestHost(verdicts) };
}

/** @param image what the spec resolves to. */
export function planVm(view: PoolView, spec: VmSpec, image: VmImage): PlacementExplanation {
  const resources = resolveResources(spec, image);
  const vm = { spec, image, resources };
  const { verdicts, refusalCounts } = judge(view, vm, shapeOf(vm));
  const best = bestHost(verdicts);
  const summary =
    best.host === undefined
      ? `it would wait: ${joinCounts(refusalCounts)}`
      : `it would be placed on hosts/${best.host} now`;
  return { summary, refusalCounts, verdicts, queuePosition: 0, queueLength: view.waiting.size, ...best };
}

/** Why a VM waits, in one sentence that a CI log can show. Cheap: VMs of one shape share the answer. */
export function waitingSentence(view: PoolView, vm: VmRecord, nowMs: number): string {
  const counts = countRefusals(view, shapeOf(vm));
  return `waiting ${describeSpan(nowMs - vm.createTimeMs)}: ${reasonToWait(view, vm, { counts, nowMs })}`;
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
  { counts, nowMs }: { readonly counts: readonly RefusalCount[]; readonly nowMs: number },
): string {
  if (vm.retryAtMs !== undefined && vm.retryAtMs > nowMs) {
    return `it is placed again in ${describeSpan(vm.retryAtMs - nowMs)}, since ${vm.message || "a host refused it"}`;
  }
  // Between two decisions: it, or one that goes before it, is about to be placed.
  const refusing = counts.reduce((sum, { hosts }) => sum + hosts, 0);
  return refusing < view.hosts.size ? "a host has room, and is about to be chosen" : joinCounts(counts);
}

function judge(
  view: PoolView,
  vm: ScoredVm,
  shape: Shape,
): { readonly verdicts: readonly HostVerdict[]; readonly refusalCounts: readonly RefusalCount[] } {
  const verdicts: HostVerdict[] = [];
  for (const host of view.hosts.values()) {
    const candidate = candidateOf(view, host);
    const filter = refusingFilter(candidate, shape);
    if (filter !== undefined) {
      verdicts.push({ host: host.id, fits: false, filter: filter.name, message: filter.explain(candidate, shape) });
      continue;
    }
    const terms = scoreTerms(candidate, vm, view);
    const score = terms.reduce((sum, { value, weight }) => sum + value * weight, 0);
    verdicts.push({ host: host.id, fits: true, score, terms });
  }
  verdicts.sort(compareVerdicts);
  return { verdicts: verdicts.slice(0, verdictsMax), refusalCounts: countRefusals(view, shape) };
}

/** How many hosts refuse the shape, by filter; the most frequent first. */
function countRefusals(view: PoolView, shape: Shape): readonly RefusalCount[] {
  const counts = new Map<string, number>();
  for (const host of view.hosts.values()) {
    const filter = refusingFilter(candidateOf(view, host), shape);
    if (filter !== undefined) counts.set(filter.name, (counts.get(filter.name) ?? 0) + 1);
  }
  return filters
    .flatMap(({ name, summary }) => {
      const hosts = counts.get(name) ?? 0;
      return hosts === 0 ? [] : [{ filter: name, hosts, message: describeCount(hosts, summary) }];
    })
    .sort((a, b) => b.hosts - a.hosts);
}

function describeCount(hosts: number, [one, many]: readonly [string, string]): string {
  return hosts === 1 ? `1 host ${one}` : `${hosts} hosts ${many}`;
}

function joinCounts(counts: readonly RefusalCount[]): string {
  return counts.length === 0 ? "no host has joined the pool" : counts.map(({ message }) => message).join(", ");
}

function bestHost(verdicts: readonly HostVerdict[]): { readonly host?: HostId } {
  const best = verdicts[0];
  return best?.fits === true ? { host: best.host } : {};
}

function compareVerdicts(a: HostVerdict, b: HostVerdict): number {
  if (a.fits !== b.fits) return a.fits ? -1 : 1;
  if (a.fits && b.fits && a.score !== b.score) return b.score - a.score;
  return a.host < b.host ? -1 : 1;
}

const ordinalRules = new Intl.PluralRules("en", { type: "ordinal" });

/** From 1. */
function positionOf(view: PoolView, vm: VmRecord): number {
  const place = { id: vm.id, priority: vm.spec.priority, createTimeMs: vm.createTimeMs };
  let ahead = 0;
  for (const id of view.waiting) {
    const other = view.vms.get(id);
    if (other === undefined || id === vm.id) continue;
    if (isBefore({ id, priority: other.spec.priority, createTimeMs: other.createTimeMs }, place)) ahead += 1;
  }
  return ahead + 1;
}

function ordinal(position: number): string {
  const words = ["first", "second", "third"];
  const ending = { one: "st", two: "nd", few: "rd", other: "th", zero: "th", many: "th" };
  return words[position - 1] ?? `${position}${ending[ordinalRules.select(position)]}`;
}
