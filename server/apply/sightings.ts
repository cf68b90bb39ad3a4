/**
 * What a host shows of its VMs. Those of the pool are found by the id under which they were seen before, or by the name that
 * was derived from their uid and attempt; everything else is foreign. A VM that no command is under way for follows what its
 * host shows: the hypervisor is the truth.
 */
import { required } from "../../shared/assert.ts";
import { type HostId, hostVmName, parseHostVmName, type VmId } from "../../shared/ids.ts";
import type { HostInventory } from "../pool/events/host-reports.ts";
import type { HostVm } from "../pool/host.ts";
import { describeEnd, pendingExpiry } from "../pool/lease.ts";
import { retryDelayMs, stableAfterMs, stepRetriesMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import { isToWaitAnew } from "../pool/preemption.ts";
import type { HostSight, VmRecord } from "../pool/vm.ts";
import { seenTrigger } from "../pool/vm-machine.ts";
import { changeVm, failVm, moveVm, releasedHost } from "./change-vm.ts";
import { expireVm } from "./expiry.ts";
import { byName } from "./orphans.ts";
import { queueAnew } from "./preemption.ts";

/** Applies an inventory and returns the host's foreign VMs as they are now, in the order of their names. */
export function applyInventory(
  pool: Pool,
  {
    host,
    inventory,
    known,
    timeMs,
  }: {
    readonly host: HostId;
    readonly inventory: HostInventory;
    /** The foreign VMs as they were. */
    readonly known: readonly HostVm[];
    readonly timeMs: number;
  },
): readonly HostVm[] {
  const owned = new Map<string, VmRecord>();
  for (const id of pool.vmsOn(host)) {
    const vm = pool.vms.get(id);
    if (vm?.sight !== undefined) owned.set(vm.sight.id, vm);
  }
  const foreign = new Map(inventory.isWhole ? [] : known.map((vm) => [vm.id, vm]));
  const shown = new Set<VmId>();
  for (const hostVm of inventory.vms) {
    const vm = owned.get(hostVm.id) ?? findByName(pool, host, hostVm.name);
    if (vm === undefined) foreign.set(hostVm.id, hostVm);
    else {
      foreign.delete(hostVm.id);
      shown.add(vm.id);
      applySight(pool, vm.id, hostVm, timeMs);
    }
  }
  for (const id of inventory.removedIds) foreign.delete(id);
  const gone = inventory.isWhole
    ? [...pool.vmsOn(host)].filter((id) => !shown.has(id))
    : inventory.removedIds.flatMap((id) => owned.get(id)?.id ?? []);
  for (const id of gone) applyGone(pool, id, timeMs);
  return [...foreign.values()].sort(byName);
}

/** What is kept of a VM as its host shows it. */
export function sightOf(hostVm: HostVm): HostSight {
  return { id: hostVm.id, name: hostVm.name, state: hostVm.state, ipAddresses: hostVm.ipAddresses };
}

function findByName(pool: Pool, host: HostId, name: string): VmRecord | undefined {
  const parsed = parseHostVmName(name);
  const vm = parsed === undefined ? undefined : pool.findVmByUid(parsed.uid);
  return vm !== undefined && vm.host === host && hostVmName(vm.uid, vm.attempt) === name ? vm : undefined;
}

function applySight(pool: Pool, id: VmId, hostVm: HostVm, timeMs: number): void {
  const vm = required(pool.vms.get(id), "VM that a host shows");
  const sight = sightOf(hostVm);
  const current = vm.sight !== undefined && isSameSight(vm.sight, sight) ? vm : changeVm(pool, vm, timeMs, { sight });
  // While a command is under way its end tells the state; what is seen meanwhile are the steps on the way.
  const trigger = seenTrigger(hostVm.state);
  if (current.command !== undefined || trigger === undefined) return;
  const isUnexpectedStop =
    trigger === "seen-stopped" && current.state === "RUNNING" && current.spec.wanted === "running";
  if (isUnexpectedStop) stoppedByItself(pool, current, timeMs);
  else moveVm(pool, current, trigger, { timeMs, reason: "SeenOnHost", message: `the host shows it ${hostVm.state}` });
}

/** Nobody of the pool stopped it, and it is wanted running: it is started again, but not for ever. */
function stoppedByItself(pool: Pool, vm: VmRecord, timeMs: number): void {
  const retryCount = timeMs - vm.stateSinceMs >= stableAfterMs ? 1 : vm.retryCount + 1;
  if (retryCount > stepRetriesMax) {
    failVm(pool, vm, timeMs, {
      reason: "KeepsStopping",
      message: `it was powered off ${retryCount} times without being asked to; look at what the guest does when it is up`,
      suspect: "template",
      releasesHost: false,
    });
    return;
  }
  moveVm(pool, vm, "seen-stopped", {
    timeMs,
    reason: "StoppedByItself",
    message: "it was powered off in the guest or by hand; it is started again, since it is wanted running",
    fields: { retryCount, retryAtMs: timeMs + retryDelayMs(retryCount - 1) },
  });
}

function applyGone(pool: Pool, id: VmId, timeMs: number): void {
  const vm = required(pool.vms.get(id), "VM that a host shows no more");
  // Of one that was never shown there may be something that is not shown yet: the end of the command says so.
  if (vm.sight === undefined && (vm.state === "DELETING" || vm.state === "FAILED")) return;
  switch (vm.state) {
    case "DELETING":
      // What was called off while it was being made may be shown again before the host has ended that: the delete's end says so.
      if (vm.command !== undefined && wasBeingMade(vm)) return;
      deleted(pool, vm, timeMs);
      return;
    case "FAILED":
      // Its record stays for a look; it holds nothing any more.
      changeVm(pool, vm, timeMs, releasedHost);
      return;
    case "PLACED":
    case "CREATING":
      return;
    default:
      vanished(pool, vm, timeMs);
  }
}

function wasBeingMade(vm: VmRecord): boolean {
  const placedAt = vm.timeline.findLastIndex(({ state }) => state === "PLACED");
  return placedAt >= 0 && !vm.timeline.slice(placedAt).some(({ state }) => state === "STOPPED");
}

function deleted(pool: Pool, vm: VmRecord, timeMs: number): void {
  if (isToWaitAnew(vm)) {
    queueAnew(pool, vm, timeMs);
    return;
  }
  moveVm(pool, vm, "gone", {
    timeMs,
    reason: vm.endReason ?? "Deleted",
    message: vm.endReason && describeEnd(vm.endReason),
    fields: { ...releasedHost, command: undefined, retryAtMs: undefined },
  });
}

/** What was about to be deleted is; one whose time is over was ended by its host, which may look before the server does. */
function vanished(pool: Pool, vm: VmRecord, timeMs: number): void {
  const expiry = pendingExpiry(vm);
  const current = expiry !== undefined && expiry.atMs <= timeMs ? expireVm(pool, vm, expiry, timeMs) : vm;
  if (current.spec.wanted === "deleted" || isToWaitAnew(current)) {
    const reason = isToWaitAnew(current) ? "Preempted" : (current.endReason ?? "Deleted");
    deleted(pool, moveVm(pool, current, "delete-sent", { timeMs, reason }), timeMs);
    return;
  }
  failVm(pool, vm, timeMs, {
    reason: "Vanished",
    message: "the VM is no longer on its Mac: someone removed it there",
    suspect: "host",
    releasesHost: true,
  });
}

function isSameSight(a: HostSight, b: HostSight): boolean {
  return (
    a.id === b.id &&
    a.name === b.name &&
    a.state === b.state &&
    a.ipAddresses.length === b.ipAddresses.length &&
    a.ipAddresses.every((address, index) => address === b.ipAddresses[index])
  );
}
