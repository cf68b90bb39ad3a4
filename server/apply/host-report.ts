/** What hosts tell of themselves: sessions, signs of life, inventories. What an older session says is dropped. */

import { required } from "../../shared/assert.ts";
import type { HostId } from "../../shared/ids.ts";
import { isOutdated } from "../pool/dial.ts";
import type {
  HostConnected,
  HostDisconnected,
  HostHeard,
  HostInventoried,
  HostUse,
} from "../pool/events/host-reports.ts";
import type { HelloRefusal } from "../pool/events.ts";
import type { CachedImage, HostCondition, HostContact, HostFacts, HostRecord, HostVm } from "../pool/host.ts";
import { nextHostState } from "../pool/host-machine.ts";
import { heartbeatPeriodMs, resendsMax } from "../pool/limits.ts";
import { orphansAmong } from "../pool/orphan.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import { kindUnderWay, seenTrigger, sentTrigger, type VmTrigger } from "../pool/vm-machine.ts";
import { blame } from "./blame.ts";
import { changeHost } from "./change-host.ts";
import { changeVm, failVm, moveVm, stateDeadlineMs } from "./change-vm.ts";
import { currentHost } from "./checks.ts";
import { applyCommandReport } from "./command.ts";
import { checkNotRevoked } from "./enrolment.ts";
import { retryElsewhere } from "./letting-go.ts";
import { newHost } from "./new-host.ts";
import { applyInventory } from "./sightings.ts";

export function applyHostConnected(pool: Pool, event: HostConnected, timeMs: number): HostRecord | HelloRefusal {
  if (event.certificateIssueTimeMs !== undefined) checkNotRevoked(pool, event.id, event.certificateIssueTimeMs);
  const known = pool.hosts.get(event.id);
  // What the host showed then is not so any more, and its agent has another session.
  if (isOutdated(event.dial, known?.dial)) return "outdated";
  // A Mac that was cloned, or restored on another one, does not have the VMs that run on the first; they have not vanished.
  if (isOtherMac(known?.facts, event.facts) && pool.vmsOn(event.id).size > 0) return "host-taken";
  const before = known ?? newHost(pool, { id: event.id, uid: event.uid, labels: {} }, timeMs);
  const state = nextHostState(before.state, "connected") ?? before.state;
  changeHost(pool, before, timeMs, {
    state,
    stateSinceMs: state === before.state ? before.stateSinceMs : timeMs,
    epoch: before.epoch + 1,
    dial: event.dial,
    // A Mac whose licence cannot be read for a while is the Mac that it was.
    facts: { ...event.facts, hardwareId: event.facts.hardwareId || (known?.facts?.hardwareId ?? "") },
    agentLabels: event.agentLabels,
    conditions: mergeConditions(before.conditions, event.use.conditions, timeMs),
  });
  pool.setContact(event.id, contactOf(pool, event.id, event.use, { sessionId: event.sessionId, timeMs }));
  resumeVms(pool, event.id, timeMs);
  for (const report of event.commands) applyCommandReport(pool, event.id, report, timeMs);
  // Until the host can be listed, its VMs are left as they are.
  if (event.inventory === undefined) return required(pool.hosts.get(event.id), "host that has connected");
  return inventoried(pool, event.id, event.inventory, timeMs);
}

export function applyHostHeard(pool: Pool, event: HostHeard, timeMs: number): boolean {
  const host = currentHost(pool, event.id, event.epoch);
  const contact = pool.contact(event.id);
  if (host === undefined || contact?.isConnected !== true) return false;
  pool.setContact(event.id, contactOf(pool, event.id, event.use, { sessionId: contact.sessionId, timeMs }));
  reconnect(pool, host, timeMs);
  const conditions = mergeConditions(host.conditions, event.use.conditions, timeMs);
  if (conditions !== host.conditions) changeHost(pool, pool.hosts.get(host.id) ?? host, timeMs, { conditions });
  return true;
}

export function applyHostInventoried(pool: Pool, event: HostInventoried, timeMs: number): boolean {
  const host = currentHost(pool, event.id, event.epoch);
  if (host === undefined) return false;
  inventoried(pool, event.id, event.inventory, timeMs);
  return true;
}

export function applyHostDisconnected(pool: Pool, event: HostDisconnected): boolean {
  const host = currentHost(pool, event.id, event.epoch);
  const contact = pool.contact(event.id);
  if (host === undefined || contact === undefined) return false;
  pool.setContact(event.id, { ...contact, isConnected: false });
  return true;
}

/** Whether the two are certainly not one Mac. */
function isOtherMac(known: HostFacts | undefined, told: HostFacts): boolean {
  if (known === undefined || known.hardwareId === "" || told.hardwareId === "") return false;
  return known.hardwareId !== told.hardwareId;
}

/** A host that was silent within an open session (its stream stalled) is heard again. */
function reconnect(pool: Pool, host: HostRecord, timeMs: number): void {
  const state = nextHostState(host.state, "connected");
  if (state === undefined) return;
  changeHost(pool, host, timeMs, { state, stateSinceMs: timeMs });
  resumeVms(pool, host.id, timeMs);
  resumeAsSeen(pool, host.id, timeMs);
}

/** VMs of a host that is back go on where they were: their commands are sent again, and what is due is due from now on. */
function resumeVms(pool: Pool, host: HostId, timeMs: number): void {
  for (const id of pool.vmsOn(host)) {
    const vm = pool.vms.get(id);
    if (vm === undefined || isResentInVain(pool, vm, timeMs)) continue;
    const trigger = vm.state === "UNKNOWN" ? resumingTrigger(vm) : undefined;
    const command = vm.command && { ...vm.command, resendCount: (vm.command.resendCount ?? 0) + 1 };
    if (trigger !== undefined) moveVm(pool, vm, trigger, { timeMs, reason: "HostBack", fields: { command } });
    else if (vm.deadlineMs !== undefined && vm.state !== "FAILED") {
      changeVm(pool, vm, timeMs, { command, deadlineMs: stateDeadlineMs(vm, vm.state, timeMs) });
    }
  }
}

/**
 * Every new session sets the deadline anew, so sessions that keep breaking would hold a VM for ever. One that was sent its
 * command again and again without any progress has failed. (A delete is tried for ever.)
 */
function isResentInVain(pool: Pool, vm: VmRecord, timeMs: number): boolean {
  const { command } = vm;
  if (command === undefined || command.kind === "delete" || (command.resendCount ?? 0) < resendsMax) return false;
  const message =
    `hosts/${vm.host} was told ${resendsMax} times to ${command.kind} the VM, and lost contact each time ` +
    "before it reported progress; look at the agent's log there";
  const failure = blame(pool, vm, { reason: "SessionsKeepBreaking", message, suspect: "host" }, timeMs);
  if (!retryElsewhere(pool, vm, failure, timeMs)) failVm(pool, vm, timeMs, { ...failure, releasesHost: false });
  return true;
}

/** How a VM in UNKNOWN goes on; nothing if what the host shows of it decides. */
function resumingTrigger(vm: VmRecord): VmTrigger | undefined {
  if (vm.command !== undefined) return sentTrigger(vm.command.kind);
  // A step that had failed and was to be tried again is tried again.
  const stateBefore = vm.timeline.at(-2)?.state;
  const kind = stateBefore === undefined ? undefined : kindUnderWay(stateBefore);
  return kind === undefined ? undefined : sentTrigger(kind);
}

/** What was last seen of a VM is true until the host shows something else: one that was merely silent shows only changes. */
function resumeAsSeen(pool: Pool, host: HostId, timeMs: number): void {
  for (const id of pool.vmsOn(host)) {
    const vm = pool.vms.get(id);
    const trigger = vm?.state === "UNKNOWN" && vm.sight !== undefined ? seenTrigger(vm.sight.state) : undefined;
    if (vm !== undefined && trigger !== undefined) moveVm(pool, vm, trigger, { timeMs, reason: "HostBack" });
  }
}

function inventoried(pool: Pool, id: HostId, inventory: HostInventoried["inventory"], timeMs: number): HostRecord {
  const host = required(pool.hosts.get(id), "host of an inventory");
  const foreignVms = applyInventory(pool, { host: id, inventory, known: host.foreignVms, timeMs });
  const images = inventory.images ?? host.images;
  const isSame = isSameForeign(host.foreignVms, foreignVms) && isSameImages(host.images, images);
  if (isSame) return host;
  const orphans = orphansAmong(pool, foreignVms, { known: host.orphans, timeMs });
  return changeHost(pool, host, timeMs, { foreignVms, images, orphans });
}

function contactOf(
  pool: Pool,
  id: HostId,
  use: HostUse,
  { sessionId, timeMs }: { readonly sessionId: string; readonly timeMs: number },
): HostContact {
  const periodMs = heartbeatPeriodMs(pool.hosts.size);
  const { silentAfterPeriods } = pool.settings.hosts;
  return {
    isConnected: true,
    sessionId,
    heardAtMs: timeMs,
    // A period that grew while the pool grew reaches the agent with its next session: the older, shorter one is no harm.
    silentAtMs: timeMs + silentAfterPeriods * Math.max(periodMs, pool.contact(id)?.heartbeatPeriodMs ?? 0),
    heartbeatPeriodMs: periodMs,
    inUse: use.inUse,
    diskFreeMib: use.diskFreeMib,
    diskTotalMib: use.diskTotalMib,
    macosGuests: use.macosGuests,
  };
}

/** The conditions as told now; each keeps its time as long as it holds or does not. The same array if nothing changed. */
function mergeConditions(
  before: readonly HostCondition[],
  told: HostUse["conditions"],
  timeMs: number,
): readonly HostCondition[] {
  const merged = told.map((condition) => {
    const known = before.find(({ type }) => type === condition.type);
    return { ...condition, sinceMs: known?.holds === condition.holds ? known.sinceMs : timeMs };
  });
  const isSame =
    merged.length === before.length &&
    merged.every((condition, index) => {
      const known = before[index];
      return (
        known?.type === condition.type &&
        known.holds === condition.holds &&
        known.reason === condition.reason &&
        known.message === condition.message
      );
    });
  return isSame ? before : merged;
}

/** Whether two lists show the same, but for how long the VMs have been up. */
function isSameForeign(a: readonly HostVm[], b: readonly HostVm[]): boolean {
  const comparable = (vms: readonly HostVm[]): string => JSON.stringify(vms.map((vm) => ({ ...vm, uptimeSeconds: 0 })));
  return a.length === b.length && (a.length === 0 || comparable(a) === comparable(b));
}

function isSameImages(a: readonly CachedImage[], b: readonly CachedImage[]): boolean {
  return a === b || (a.length === b.length && JSON.stringify(a) === JSON.stringify(b));
}
