/**
 * The rankings of hosts that are in use, one for each kind of VM that is being placed. They are made when they are first
 * asked for and kept for the next VM of their kind; the one that was not asked for the longest makes room.
 */
import type { HostId } from "../../shared/ids.ts";
import type { PlacementSettings } from "../pool/settings/placement.ts";
import type { Shape } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import { HostRanking } from "./ranking.ts";
import { rankingKey, type ScoredVm } from "./scores.ts";

/**
 * How many rankings there are at most, and how many hosts they hold together. Pools are asked for a handful of templates and
 * sizes at a time; each ranking has to be told of every host that moves. A ranked host takes about 150 bytes: 50 MB in all.
 */
const rankingsMax = 32;
const rankedHostsMax = 320_000;

export class HostRankings {
  private readonly view: PlacementView;
  /** The one that was asked for the longest ago comes first. */
  private readonly rankings = new Map<string, HostRanking>();
  /** Those that all rankings were built under. */
  private settings: PlacementSettings;

  constructor(view: PlacementView) {
    this.view = view;
    this.settings = view.settings.placement;
  }

  get size(): number {
    return this.rankings.size;
  }

  /** Something changed on the host that filters or scores may see. */
  noteMoved(host: HostId): void {
    for (const ranking of this.rankings.values()) ranking.noteMoved(host);
  }

  /** The host that a look at all hosts would choose; nothing if the VM fits nowhere. */
  best(vm: ScoredVm, shape: Shape): HostId | undefined {
    this.followSettings();
    const key = rankingKey(vm, shape, this.settings);
    const ranking = this.rankings.get(key) ?? new HostRanking(this.view, shape, vm);
    this.rankings.delete(key);
    this.rankings.set(key, ranking);
    this.dropOldest();
    return ranking.best(vm);
  }

  /** Other weights give other scores: every ranking is built anew when it is next asked for. */
  private followSettings(): void {
    if (this.settings === this.view.settings.placement) return;
    this.settings = this.view.settings.placement;
    this.rankings.clear();
  }

  private dropOldest(): void {
    const keptMax = Math.max(1, Math.min(rankingsMax, Math.floor(rankedHostsMax / Math.max(1, this.view.hosts.size))));
    for (const key of this.rankings.keys()) {
      if (this.rankings.size <= keptMax) return;
      this.rankings.delete(key);
    }
  }
}
