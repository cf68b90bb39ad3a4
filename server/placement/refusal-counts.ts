/**
 * How many hosts refuse a shape, and by which filter. All VMs of a shape share the answer, and it holds until a host moves: it
 * is counted once, and a list of 100,000 VMs that wait costs no more looks at hosts than one VM.
 */
import type { Shape } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import type { RefusalCount } from "./explanation.ts";
import { candidateOf, filters, refusingFilter } from "./filters.ts";

export interface RefusalCounts {
  /** The most frequent first. */
  readonly byFilter: readonly RefusalCount[];
  /** How many hosts refuse it in all. */
  readonly hosts: number;
  /** All of it in words: "9 hosts have no free macOS slot, 2 are cordoned". */
  readonly sentence: string;
}

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
  let hosts = 0;
  for (const host of view.hosts.values()) {
    const filter = refusingFilter(candidateOf(view, host), shape);
    if (filter === undefined) continue;
    refusing.set(filter.name, (refusing.get(filter.name) ?? 0) + 1);
    hosts += 1;
  }
  const reasons = filters
    .map(({ name, summary }) => ({ filter: name, hosts: refusing.get(name) ?? 0, summary }))
    .filter((reason) => reason.hosts > 0)
    .sort((a, b) => b.hosts - a.hosts);
  return {
    byFilter: reasons.map((reason) => ({ filter: reason.filter, hosts: reason.hosts, message: withNoun(reason) })),
    hosts,
    // What is counted is said once.
    sentence: reasons.map((reason, index) => (index === 0 ? withNoun(reason) : withoutNoun(reason))).join(", "),
  };
}

interface Reason {
  readonly hosts: number;
  readonly summary: readonly [one: string, many: string];
}

function withNoun({ hosts, summary: [one, many] }: Reason): string {
  return hosts === 1 ? `1 host ${one}` : `${hosts} hosts ${many}`;
}

function withoutNoun({ hosts, summary: [one, many] }: Reason): string {
  return hosts === 1 ? `1 ${one}` : `${hosts} ${many}`;
}
