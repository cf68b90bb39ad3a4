/** Answers "why is it waiting, or why there", for a VM that exists and for one that does not. */
import type { HostId } from "../../shared/ids.ts";
import type { HostRecord } from "../pool/host.ts";
import { resolveResources } from "../pool/image.ts";
import { reservationOf } from "../pool/reservation.ts";
import { type Shape, shapeOf } from "../pool/shape.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmImage, VmRecord, VmSpec } from "../pool/vm.ts";
import { type HostVerdict, type PlacementExplanation, type RefusalCount, verdictsMax } from "./explanation.ts";
import { candidateOf, refusalOn, refusingFilter } from "./filters.ts";
import { isBetter, type RankedHost } from "./place.ts";
import { quotaRefusal, quotaRoom } from "./quota.ts";
import { countRefusals, describeRefusals, type RefusalCounts } from "./refusal-counts.ts";
import { countFitting } from "./room.ts";
import { type ScoredVm, scoreOf, scoreTerms } from "./scores.ts";
import { competingAhead, estimateWait, type WaitEstimate } from "./wait-estimate.ts";

export function explainVm(view: PoolView, vm: VmRecord, nowMs: number): PlacementExplanation {
  const shape = shapeOf(vm);
  const queuePosition = view.queuePosition(vm.id);
  const obstacles = obstaclesOf(view, vm.spec.project, shape, vm);
  // A quota says nothing of a VM that has its place.
  const verdicts = judge(view, vm, { shape, quota: queuePosition === 0 ? undefined : obstacles.quota });
  const answer = { refusalCounts: countsOf(view, obstacles), verdicts, queueLength: view.waiting.size };
  if (queuePosition === 0) {
    const summary =
      vm.host === undefined ? `it is ${vm.state} and has no host` : `it stands on hosts/${vm.host} and is ${vm.state}`;
    return { ...answer, summary, queuePosition, ...(vm.host === undefined ? {} : { host: vm.host }) };
  }
  const place = `${ordinal(queuePosition)} of ${answer.queueLength} ${queueWords(view)}`;
  const reason = reasonToWait(view, vm, { obstacles, nowMs });
  const ahead = competingAhead(view, shape, queuePosition);
  // When a project will have room in its quota is for the project to say.
  const estimate =
    obstacles.quota === undefined ? estimateWait(view, { shape, template: vm.spec.template, ahead, nowMs }) : undefined;
  const summary = `waiting ${describeSpan(nowMs - vm.createTimeMs)}, ${place}: ${reason}${describeEstimate(estimate)}`;
  return { ...answer, summary, queuePosition, ...bestHost(verdicts), ...(estimate === undefined ? {} : { estimate }) };
}

export interface Plan {
  readonly spec: VmSpec;
  /** What the spec resolves to. */
  readonly image: VmImage;
  /** How many such VMs, at least 1. */
  readonly count: number;
  readonly nowMs: number;
}

/** What would happen to VMs that do not exist, were they asked for now. */
export function planVm(view: PoolView, { spec, image, count, nowMs }: Plan): PlacementExplanation {
  const resources = resolveResources(spec, image);
  const vm = { spec, image, resources };
  const shape = shapeOf(vm);
  const obstacles = obstaclesOf(view, spec.project, shape);
  const verdicts = judge(view, vm, { shape, quota: obstacles.quota });
  const best = bestHost(verdicts);
  const allowed = quotaRoom(view, spec.project, shape);
  const fitNow = countFitting(view, shape, Math.min(count, allowed));
  // The last of them waits the longest. Places that are free now are among those that come.
  const before = competingAhead(view, shape, view.waiting.size + 1);
  const ahead = before + count - 1;
  const isEstimated = fitNow < count && allowed >= count;
  const estimate = !isEstimated ? undefined : estimateWait(view, { shape, template: spec.template, ahead, nowMs });
  return {
    summary: describePlan({ count, fitNow, host: best.host, refusals: describeObstacles(view, obstacles), estimate }),
    fitNow,
    ...(estimate === undefined ? {} : { estimate }),
    refusalCounts: countsOf(view, obstacles),
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
  const obstacles = obstaclesOf(view, vm.spec.project, shapeOf(vm), vm);
  const span = describeSpan(nowMs - vm.createTimeMs);
  return `waiting ${span}, ${ordinal(queuePosition)} ${queueWords(view)}: ${reasonToWait(view, vm, { obstacles, nowMs })}`;
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
  { obstacles, nowMs }: { readonly obstacles: Obstacles; readonly nowMs: number },
): string {
  if (vm.retryAtMs !== undefined && vm.retryAtMs > nowMs) {
    return `it is placed again in ${describeSpan(vm.retryAtMs - nowMs)}, since ${vm.message || "a host refused it"}`;
  }
  const isAnyFree = obstacles.counts.hosts < view.hosts.size;
  // Between two decisions: it, or one that goes before it, is about to be placed.
  if (isAnyFree && obstacles.quota === undefined) return "a host has room, and is about to be chosen";
  const kept = reservationOf(vm);
  const words = describeObstacles(view, obstacles);
  if (kept === undefined) return words;
  return kept.noticeEndMs === undefined
    ? `${words}; room is building up for it on hosts/${kept.host}`
    : `${words}; ${describeGivingWay(view, vm, { host: kept.host, inMs: kept.noticeEndMs - nowMs })}`;
}

/** Such as "2 preemptible VMs on hosts/mac-07 give way in 40 s". */
function describeGivingWay(
  view: PoolView,
  { id }: VmRecord,
  { host, inMs }: { readonly host: HostId; readonly inMs: number },
): string {
  const victims = [...view.givingWayTo(id)].flatMap((victim) => view.vms.get(victim) ?? []);
  if (victims.length === 0) return `room is kept for it on hosts/${host}`;
  const many = victims.length === 1 ? "1 preemptible VM" : `${victims.length} preemptible VMs`;
  if (inMs <= 0) return `${many} on hosts/${host} ${victims.length === 1 ? "is" : "are"} being ended for it`;
  return `${many} on hosts/${host} ${victims.length === 1 ? "gives" : "give"} way in ${describeSpan(inMs)}`;
}

/** What is in a VM's way. */
interface Obstacles {
  readonly shape: Shape;
  readonly counts: RefusalCounts;
  /** Why its project may have no more now. */
  readonly quota: string | undefined;
}

function obstaclesOf(view: PoolView, project: string, shape: Shape, vm?: VmRecord): Obstacles {
  return { shape, counts: countRefusals(view, shape), quota: quotaRefusal(view, project, shape, vm) };
}

/** Hosts that only the project's quota keeps the VM from are counted under that. */
function countsOf(view: PoolView, { counts, quota }: Obstacles): readonly RefusalCount[] {
  const free = view.hosts.size - counts.hosts;
  return quota === undefined || free === 0
    ? counts.byFilter
    : [{ filter: "quota", hosts: free, message: quota }, ...counts.byFilter].sort((a, b) => b.hosts - a.hosts);
}

/** Such as "project acme has 8 of 8 VMs; 9 hosts have no free macOS slot". */
function describeObstacles(view: PoolView, { shape, counts, quota }: Obstacles): string {
  const isAnyFree = counts.hosts < view.hosts.size;
  if (quota !== undefined && isAnyFree) return quota;
  const refusals = view.hosts.size === 0 ? "no host has joined the pool" : describeRefusals(view, counts, shape);
  return quota === undefined ? refusals : `${quota}; ${refusals}`;
}

/** With several projects in it, who holds least may go before who is older. */
function queueWords(view: PoolView): string {
  return view.waitingProjects > 1 ? "in the queue by priority and age" : "in the queue";
}

/** What is said of each host, the best ones first; words are made only for those that are told. */
function judge(
  view: PoolView,
  vm: ScoredVm,
  { shape, quota }: { readonly shape: Shape; readonly quota: string | undefined },
): readonly HostVerdict[] {
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
    if (host === undefined) return [];
    return quota !== undefined
      ? { host: id, fits: false, filter: "quota", message: quota }
      : { host: id, fits: true, score, terms: scoreTerms(candidateOf(view, host), vm, view) };
  });
  for (const { id } of refused.slice(0, verdictsMax - verdicts.length)) {
    const refusal = refusalOn(view, id, shape);
    if (refusal !== undefined) verdicts.push({ host: id, fits: false, ...refusal });
  }
  return verdicts;
}

interface PlanOutcome {
  readonly count: number;
  readonly fitNow: number;
  readonly host: HostId | undefined;
  readonly refusals: string;
  readonly estimate: WaitEstimate | undefined;
}

/** Such as "8 of 12 would be placed now, 4 would wait, probably about 6 min (…): 9 hosts have no free macOS slot". */
function describePlan({ count, fitNow, host, refusals, estimate }: PlanOutcome): string {
  const waiting = count - fitNow;
  if (count === 1) {
    if (host !== undefined) return `it would be placed on hosts/${host} now`;
    return `it would wait: ${refusals}${describeEstimate(estimate)}`;
  }
  if (waiting === 0) return `all ${count} would be placed now`;
  const others =
    fitNow === 0 ? `all ${count} would wait` : `${fitNow} of ${count} would be placed now, ${waiting} would wait`;
  // Where some fit, what refuses the others is what these will have taken.
  return `${others}${fitNow === 0 ? `: ${refusals}` : ""}${describeEstimate(estimate)}`;
}

/** What is appended to a reason to wait. */
function describeEstimate(estimate: WaitEstimate | undefined): string {
  if (estimate === undefined) return "";
  const { waitMs, longMs, observed, certainty } = estimate;
  const span = describeSpan(waitMs);
  const long = describeSpan(longMs);
  const range = long === span ? "" : `, ${long} at worst`;
  const basis = observed === 0 ? "judged by leases alone" : `judged by ${observed} such VMs`;
  return `; probably about ${span} more${range} (${basis}, certainty ${certainty})`;
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
