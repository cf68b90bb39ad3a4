/**
 * How many hosts refuse a shape, and by which filter. All VMs of a shape share the answer, and it holds until a host moves: it
 * is counted once, and a list of 100,000 VMs that wait costs no more looks at hosts than one VM.
 */
import type { HostId } from "../../shared/ids.ts";
import { isBeingMade } from "../pool/ledger.ts";
import { imageKey, type Shape } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import type { RefusalCount } from "./explanation.ts";
import { candidateOf, filters, refusingFilter } from "./filters.ts";

export interface RefusalCounts {
  /** The most frequent first. */
  readonly byFilter: readonly RefusalCount[];
  /** How many hosts refuse it in all. */
  readonly hosts: number;
  /** The same as reasons, for `describeRefusals`. */
  readonly reasons: readonly Reason[];
  /** Of the hosts that make as many VMs as they may, those that make VMs of the shape's image. */
  readonly makingImage: readonly HostId[];
}

/** The filter that refuses a host that is at work on other VMs, and the step in which agents pull an image. */
const pullFilter = "parallel_creates";
const pullStep = "download";

/** What has been counted while the hosts stood as they do, by the shape's key. */
interface Counted {
  readonly hostMoves: number;
  readonly byShape: Map<string, RefusalCounts>;
}

/** How many shapes are remembered: with more of them at once, counting begins anew. About 1 MB. */
const shapesMax = 1000;

/** A memo: what it says depends on the view alone. */
const counted = new WeakMap<PlacementView, Counted>();

export function countRefusals(view: PlacementView, shape: Shape): RefusalCounts {
  const byShape = countedIn(view);
  let counts = byShape.get(shape.key);
  if (counts === undefined) {
    counts = count(view, shape);
    if (byShape.size >= shapesMax) byShape.clear();
    byShape.set(shape.key, counts);
  }
  return counts;
}

/**
 * All of it in words: "9 hosts have no free macOS slot, 2 are cordoned, 1 is pulling the template (38 %)". How far a pull has
 * come moves no host, so that it is looked up each time.
 */
export function describeRefusals(view: PlacementView, { reasons, makingImage }: RefusalCounts, shape: Shape): string {
  const percents = makingImage.flatMap((host) => pulledPercent(view, host, shape) ?? []);
  return (percents.length === 0 ? reasons : withPulls(reasons, percents))
    .map((reason, index) => (index === 0 ? withNoun(reason) : withoutNoun(reason)))
    .join(", ");
}

/** Hosts that pull what is needed are told of by that, and not by how many VMs they make. */
function withPulls(reasons: readonly Reason[], percents: readonly number[]): readonly Reason[] {
  const furthest = `${Math.floor(Math.max(...percents))} %`;
  const pulling: Reason = {
    filter: pullFilter,
    hosts: percents.length,
    summary: [`is pulling the template (${furthest})`, `are pulling the template (up to ${furthest})`],
  };
  return [
    ...reasons.map((reason) =>
      reason.filter === pullFilter ? { ...reason, hosts: reason.hosts - percents.length } : reason,
    ),
    pulling,
  ]
    .filter(({ hosts }) => hosts > 0)
    .sort((a, b) => b.hosts - a.hosts);
}

/** How far the host has come with pulling the shape's image, if it is at that. */
function pulledPercent(view: PlacementView, host: HostId, { image }: Shape): number | undefined {
  for (const id of view.vmsOn(host)) {
    const vm = view.vms.get(id);
    if (vm?.progress?.step !== pullStep || !isBeingMade(vm)) continue;
    const { source } = vm.image;
    if (source.kind === "catalog" && imageKey(source.catalogId, source.version) === image) return vm.progress.percent;
  }
  return undefined;
}

function countedIn(view: PlacementView): Counted["byShape"] {
  const { hostMoves } = view;
  const known = counted.get(view);
  if (known?.hostMoves === hostMoves) return known.byShape;
  const byShape: Counted["byShape"] = new Map();
  counted.set(view, { hostMoves, byShape });
  return byShape;
}

function count(view: PlacementView, shape: Shape): RefusalCounts {
  const refusing = new Map<string, number>();
  const makingImage: HostId[] = [];
  let hosts = 0;
  for (const host of view.hosts.values()) {
    const candidate = candidateOf(view, host);
    const filter = refusingFilter(candidate, shape);
    if (filter === undefined) continue;
    const isMakingImage = shape.image !== undefined && candidate.ledger.pulls.has(shape.image);
    if (filter.name === pullFilter && isMakingImage) makingImage.push(host.id);
    refusing.set(filter.name, (refusing.get(filter.name) ?? 0) + 1);
    hosts += 1;
  }
  const reasons: readonly Reason[] = filters
    .map(({ name, summary }) => ({ filter: name, hosts: refusing.get(name) ?? 0, summary }))
    .filter((reason) => reason.hosts > 0)
    .sort((a, b) => b.hosts - a.hosts);
  return {
    byFilter: reasons.map((reason) => ({ filter: reason.filter, hosts: reason.hosts, message: withNoun(reason) })),
    hosts,
    reasons,
    makingImage,
  };
}

interface Reason {
  readonly filter: string;
  readonly hosts: number;
  readonly summary: readonly [one: string, many: string];
}

function withNoun({ hosts, summary: [one, many] }: Reason): string {
  return hosts === 1 ? `1 host ${one}` : `${hosts} hosts ${many}`;
}

/** What is counted is said once. */
function withoutNoun({ hosts, summary: [one, many] }: Reason): string {
  return hosts === 1 ? `1 ${one}` : `${hosts} ${many}`;
}
