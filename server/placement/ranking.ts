/**
 * The hosts that can take a VM of one shape now, the best first: built by one look at every host, then kept by looking again
 * only at hosts that have moved since. So of many VMs that are alike each costs a few comparisons, however many hosts there
 * are. It answers as a look at all hosts would: the same filters, the same scores, the same ties.
 */
import type { HostId } from "../../shared/ids.ts";
import type { HostRecord } from "../pool/host.ts";
import { OrderedHeap } from "../pool/ordered-heap.ts";
import type { Shape } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import { candidateOf, refusingFilter } from "./filters.ts";
import { isBetter, type RankedHost } from "./place.ts";
import { type ScoredVm, scoreOf } from "./scores.ts";

export class HostRanking {
  private readonly view: PlacementView;
  private readonly shape: Shape;
  /** The one that it was built for, as if it had not failed anywhere; all VMs with its `rankingKey` are scored alike. */
  private readonly sample: ScoredVm;
  private readonly fitting = new OrderedHeap<RankedHost>(isBetter, ({ host }) => host);
  /** Hosts to be looked at again before the next answer. */
  private readonly moved = new Set<HostId>();

  constructor(view: PlacementView, shape: Shape, vm: ScoredVm) {
    this.view = view;
    this.shape = shape;
    this.sample = { spec: vm.spec, image: vm.image, resources: vm.resources };
    for (const host of view.hosts.values()) this.rank(host);
  }

  /** Something changed on the host that filters or scores may see. */
  noteMoved(host: HostId): void {
    this.moved.add(host);
  }

  /** The best host for a VM of the ranking's key, or nothing if it fits nowhere. */
  best(vm: ScoredVm): HostId | undefined {
    this.lookAgain();
    const first = this.fitting.first;
    if (first === undefined || first.host !== vm.failure?.host) return first?.host;
    // Only on the host that failed it does a VM score otherwise, and never better: it counts only where that host is first.
    return this.bestButFor(first, vm);
  }

  private bestButFor(first: RankedHost, vm: ScoredVm): HostId {
    this.fitting.remove(first.host);
    const second = this.fitting.first;
    this.fitting.add(first);
    const host = this.view.hosts.get(first.host);
    if (second === undefined || host === undefined) return first.host;
    const score = scoreOf(candidateOf(this.view, host), vm, this.view);
    return isBetter(second, { host: first.host, score }) ? second.host : first.host;
  }

  private lookAgain(): void {
    for (const id of this.moved) {
      this.fitting.remove(id);
      const host = this.view.hosts.get(id);
      if (host !== undefined) this.rank(host);
    }
    this.moved.clear();
  }

  private rank(host: HostRecord): void {
    const candidate = candidateOf(this.view, host);
    if (refusingFilter(candidate, this.shape) !== undefined) return;
    this.fitting.add({ host: host.id, score: scoreOf(candidate, this.sample, this.view) });
  }
}
