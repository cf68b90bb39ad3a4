/**
 * The scores: each a named term between 0 and 1, and its weight, which is a setting. Only hosts that pass all filters are
 * scored.
 */
import { type Labels, labelOf, matchesLabel } from "../pool/labels.ts";
import type { HostLedger } from "../pool/ledger.ts";
import type { PlacementSettings } from "../pool/settings/placement.ts";
import { imageKey, type Shape } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import type { Resources, VmFailure, VmImage, VmSpec } from "../pool/vm.ts";
import type { ScoreTerm } from "./explanation.ts";
import type { Candidate } from "./filters.ts";

/** What scores look at beside the host. */
export interface ScoredVm {
  readonly spec: VmSpec;
  readonly image: VmImage;
  readonly resources: Resources;
  /** What went wrong with it last, and where. */
  readonly failure?: VmFailure | undefined;
}

interface Score {
  readonly name: string;
  /** Its weight's name in the settings. */
  readonly weight: keyof PlacementSettings["weights"];
  readonly value: (candidate: Candidate, vm: ScoredVm, view: PlacementView) => number;
}

/**
 * A host that has just failed this VM would do so again; a pull takes minutes, a preference is a wish, and packing only
 * decides between hosts that are alike otherwise.
 */
export const scores: readonly Score[] = [
  {
    name: "not_failed_here",
    weight: "notFailedHere",
    value: ({ host }, { failure }) => (failure?.host === host.id ? 0 : 1),
  },
  {
    name: "template_present",
    weight: "templatePresent",
    value: ({ ledger }, { image }) => (holdsImage(ledger, image) ? 1 : 0),
  },
  {
    name: "being_pulled",
    weight: "beingPulled",
    value: ({ ledger }, { image }) => (!holdsImage(ledger, image) && isPulling(ledger, image) ? 1 : 0),
  },
  {
    name: "preferred_labels",
    weight: "preferredLabels",
    value: ({ ledger }, { spec: { placement } }) => matchingShare(ledger.labels, placement.preferred),
  },
  {
    name: "recent_failures",
    weight: "recentFailures",
    value: ({ host }) => 1 / (1 + (host.trouble?.penalties ?? 0)),
  },
  {
    name: "spread_key",
    weight: "spreadKey",
    value: ({ host }, { spec }, view) => 1 / (1 + countAlike(view, host.id, spec)),
  },
  {
    name: "host_size",
    weight: "hostSize",
    value: ({ ledger: { cpuCapacity, memoryCapacityMib } }, { resources: { cpuCount, memoryMib } }) =>
      Math.max(shareOf(cpuCount, cpuCapacity), shareOf(memoryMib, memoryCapacityMib)),
  },
  {
    name: "strategy",
    weight: "strategy",
    value: ({ ledger }, { spec, resources }, { settings }) => {
      const full = fullness(ledger, resources);
      return strategyOf(spec, settings.placement) === "spread" ? 1 - full : full;
    },
  },
];

/** The sum of all terms. */
export function scoreOf(candidate: Candidate, vm: ScoredVm, view: PlacementView): number {
  const { weights } = view.settings.placement;
  let sum = 0;
  for (const score of scores) sum += weights[score.weight] * score.value(candidate, vm, view);
  return sum;
}

/** Every term by itself, for explanations. */
export function scoreTerms(candidate: Candidate, vm: ScoredVm, view: PlacementView): readonly ScoreTerm[] {
  const { weights } = view.settings.placement;
  return scores.map(({ name, weight, value }) => ({
    name,
    weight: weights[weight],
    value: value(candidate, vm, view),
  }));
}

/**
 * Equal for VMs that every host scores alike, but for the host that failed one of them: all that the terms above look at and
 * the shape does not say. A term that looks at more of a VM adds it here.
 */
export function rankingKey({ spec }: ScoredVm, shape: Shape, settings: PlacementSettings): string {
  const { preferred, spreadKey } = spec.placement;
  const spread = spreadKey === undefined ? [] : [spreadKey, labelOf(spec.labels, spreadKey)];
  return `${JSON.stringify([strategyOf(spec, settings), preferred, spread])} ${shape.key}`;
}

function strategyOf({ placement }: VmSpec, settings: PlacementSettings): PlacementSettings["strategy"] {
  return placement.strategy ?? settings.strategy;
}

/** Whether the host needs no pull for the VM. */
function holdsImage(ledger: HostLedger, { source }: VmImage): boolean {
  return source.kind !== "catalog" || ledger.images.has(imageKey(source.catalogId, source.version));
}

/** Whether the host is pulling the image for another VM, which then serves both. */
function isPulling(ledger: HostLedger, { source }: VmImage): boolean {
  return source.kind === "catalog" && ledger.pulls.has(imageKey(source.catalogId, source.version));
}

function matchingShare(labels: Labels, preferred: VmSpec["placement"]["preferred"]): number {
  if (preferred.length === 0) return 0;
  return preferred.filter((expression) => matchesLabel(labels, expression)).length / preferred.length;
}

/** VMs on the host whose label under the spread key has the same value. */
function countAlike(view: PlacementView, host: Candidate["host"]["id"], spec: VmSpec): number {
  const key = spec.placement.spreadKey;
  if (key === undefined) return 0;
  const value = labelOf(spec.labels, key);
  let count = 0;
  for (const id of view.vmsOn(host)) {
    const other = view.vms.get(id);
    if (other !== undefined && labelOf(other.spec.labels, key) === value) count += 1;
  }
  return count;
}

/** How full the host would be with the VM, by what it is fullest of. */
function fullness(ledger: HostLedger, resources: Resources): number {
  return Math.max(
    shareOf(ledger.cpuTaken + resources.cpuCount, ledger.cpuCapacity),
    shareOf(ledger.memoryTakenMib + resources.memoryMib, ledger.memoryCapacityMib),
  );
}

function shareOf(amount: number, capacity: number): number {
  return capacity === 0 ? 1 : Math.min(1, amount / capacity);
}
