/**
 * The preemption planner: has others give way to a VM that waits and fits nowhere, and takes back what it told them once that
 * is not needed any more.
 */
import type { HostId } from "../../shared/ids.ts";
import { candidateOf, refusalOn } from "../placement/filters.ts";
import { quotaRefusal } from "../placement/quota.ts";
import { couldTake } from "../placement/reserve.ts";
import { chooseVictims, compareVictims } from "../placement/victims.ts";
import type { VmPlaced, VmPreempting, VmReserved, VmSpared } from "../pool/events/decisions.ts";
import { preemptionHostsMax, preemptionLookAgainMs, preemptionLooksMax, preemptionPauseMs } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import { isNoticeNeeded } from "../pool/preemption.ts";
import { shapeOf } from "../pool/shape.ts";
import type { UrgentLane } from "../pool/urgent-lanes.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";

/** Others that give way to the most urgent VM of a lane that has waited for long enough. Called when nothing fits anywhere. */
export function planPreemption(pool: Pool, nowMs: number): VmPreempting | undefined {
  const { urgent } = pool;
  for (let looks = 0; ; looks += 1) {
    const lane = urgent.due(nowMs);
    if (lane === undefined) return undefined;
    if (looks === preemptionLooksMax) {
      urgent.rest(nowMs + preemptionPauseMs);
      pool.schedulePreemption();
      return undefined;
    }
    const decision = decideFor(pool, lane, nowMs);
    if (decision !== undefined) return decision;
    pool.schedulePreemption();
  }
}

/** Takes back the notice of a VM that need not give way, or may not be made to. */
export function planNotice(view: PoolView, vm: VmRecord): VmSpared | undefined {
  if (vm.host === undefined || vm.notice === undefined || vm.notice.isOver === true) return undefined;
  return isNoticeNeeded(view, vm) ? undefined : { type: "vm-spared", id: vm.id, host: vm.host };
}

/** What becomes of room for which others give way: it is kept for this VM and no other. */
export function planPromise(pool: Pool, vm: VmRecord, id: HostId): VmPlaced | VmReserved | VmSpared | undefined {
  const release: VmReserved = { type: "vm-reserved", id: vm.id };
  const host = pool.hosts.get(id);
  const shape = shapeOf(vm);
  if (!pool.settings.preemption.enabled || host === undefined) return release;
  if (quotaRefusal(pool, vm.spec.project, shape, vm) !== undefined) return release;
  if (refusalOn(pool, id, shape) === undefined) return { type: "vm-placed", id: vm.id, host: id };
  const candidate = candidateOf(pool, host);
  const { ledger } = candidate;
  const needless = victimsOf(pool, vm).findLast((victim) => ledger.fitOnceGone([shape], victim));
  const spared: VmSpared | undefined = needless && { type: "vm-spared", id: needless.id, host: id };
  // A host between two sessions comes back in a moment; whom it need not end is told so meanwhile, before the notice has run.
  const isAway = host.state === "READY" && candidate.contact?.isConnected !== true;
  if (isAway) return spared;
  return couldTake(candidate, shape) && ledger.fitOnceGone([shape]) ? spared : release;
}

/** Those that can still be spared, the ones that it would be a pity to end last. */
function victimsOf(pool: Pool, { id }: VmRecord): readonly VmRecord[] {
  return [...pool.givingWayTo(id)]
    .flatMap((victim) => pool.vms.get(victim) ?? [])
    .filter(({ notice }) => notice?.isOver !== true)
    .sort(compareVictims);
}

function decideFor(pool: Pool, lane: UrgentLane, nowMs: number): VmPreempting | undefined {
  const { preemptions } = pool;
  const { shape, project, members } = lane;
  const vm = members.first && pool.vms.get(members.first.id);
  const again = (): undefined => postpone(pool, lane, nowMs + preemptionLookAgainMs);
  if (vm === undefined || preemptions.hosts.size === 0) return again();
  if (quotaRefusal(pool, project, shape) !== undefined) return again();
  const chosen = chooseVictims(pool, { vm, shape }, hostsToSee(pool, lane));
  if (chosen === undefined || chosen.vms.length === 0) return again();
  const { victimsPerMinute } = pool.settings.preemption;
  if (chosen.vms.length > victimsPerMinute) return again();
  const fromMs = preemptions.roomForMs(chosen.vms.length, victimsPerMinute, nowMs);
  if (fromMs > nowMs) return postpone(pool, lane, fromMs);
  return { type: "vm-preempting", id: vm.id, host: chosen.host, victims: chosen.vms.map(({ id }) => id) };
}

function postpone(pool: Pool, lane: UrgentLane, untilMs: number): undefined {
  pool.urgent.postpone(lane, untilMs);
}

/** As many hosts as one look bears, behind those that were seen in the look before. */
function hostsToSee({ preemptions: { hosts } }: Pool, lane: UrgentLane): readonly HostId[] {
  if (lane.shape.host !== undefined) return hosts.has(lane.shape.host) ? [lane.shape.host] : [];
  const all = [...hosts.keys()];
  const from = lane.hostsSeen % all.length;
  lane.hostsSeen = from + preemptionHostsMax;
  if (all.length <= preemptionHostsMax) return all;
  return [...all.slice(from), ...all.slice(0, from)].slice(0, preemptionHostsMax);
}
