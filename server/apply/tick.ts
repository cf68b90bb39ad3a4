/** What happens because time has passed: deadlines of VMs and hosts, retries, and the end of what is kept for a while. */

import {
  asHostId,
  asJoinTokenId,
  asTemplateId,
  asTokenId,
  asVmId,
  type HostId,
  type TemplateId,
  type VmId,
} from "../../shared/ids.ts";
import type { HostRecord } from "../pool/host.ts";
import { nextHostState } from "../pool/host-machine.ts";
import { nextPrefetchMs } from "../pool/image-prefetch.ts";
import { nextPurgeMs } from "../pool/image-purge.ts";
import { pendingExpiry } from "../pool/lease.ts";
import { historyEntriesMax, historyRetentionMs, requestRetentionMs } from "../pool/limits.ts";
import { nextRemovalMs } from "../pool/orphan.ts";
import type { Pool } from "../pool/pool.ts";
import { nextTemplateTroubleMs, nextTroubleMs } from "../pool/trouble.ts";
import type { VmRecord } from "../pool/vm.ts";
import { noticeEndMs, reservationEndMs, stateEndMs, vmDueMs } from "../pool/vm-due.ts";
import { blame, settleHost, settleTemplate } from "./blame.ts";
import { changeHost } from "./change-host.ts";
import { changeVm, failVm, moveVm } from "./change-vm.ts";
import { tokenDue } from "./client-account.ts";
import { credentialDue, joinTokenDue } from "./enrolment.ts";
import { expireVm } from "./expiry.ts";
import { partFromLostHost, retryElsewhere } from "./letting-go.ts";
import { endNotice } from "./preemption.ts";

/** How much is done in one batch at most, so that a pool that was asleep does not stall everyone when it wakes. */
export const dueMax = 2_000;

/** How soon after one look at what has been passed over for long the next may follow. */
const queueSpacingMs = 1_000;

export function applyTick(pool: Pool, timeMs: number): undefined {
  for (let count = 0; count < dueMax; count += 1) {
    const key = pool.deadlines.take(timeMs);
    if (key === undefined) return undefined;
    if (key === "requests") forgetRequests(pool, timeMs);
    else if (key.startsWith("token/")) tokenDue(pool, asTokenId(key.slice(6)), timeMs);
    else if (key === "history")
      pool.dropOldHistory({ entriesMax: historyEntriesMax, fromMs: timeMs - historyRetentionMs });
    // The planner looks at what is due; the rest a moment later.
    else if (key === "preemption") continue;
    else if (key === "queue") pool.scheduleQueue(timeMs + queueSpacingMs);
    else if (key.startsWith("join-token/")) joinTokenDue(pool, asJoinTokenId(key.slice("join-token/".length)), timeMs);
    else if (key.startsWith("credential/")) credentialDue(pool, asHostId(key.slice("credential/".length)), timeMs);
    else if (key.startsWith("vm/")) vmDue(pool, asVmId(key.slice(3)), timeMs);
    else if (key.startsWith("template/")) templateDue(pool, asTemplateId(key.slice(9)), timeMs);
    else if (key.startsWith("host/")) hostDue(pool, asHostId(key.slice(5)), timeMs);
  }
  return undefined;
}

function vmDue(pool: Pool, id: VmId, timeMs: number): void {
  const vm = pool.vms.get(id);
  if (vm === undefined) return;
  const expiry = pendingExpiry(vm);
  const endMs = stateEndMs(vm, pool.settings);
  if (expiry !== undefined && expiry.atMs <= timeMs) expireVm(pool, vm, expiry, timeMs);
  else if ((noticeEndMs(vm) ?? Number.POSITIVE_INFINITY) <= timeMs) endNotice(pool, vm, timeMs);
  else if (endMs !== undefined && endMs <= timeMs) {
    const postponedToMs = awaitedContactMs(pool, vm, timeMs);
    if (postponedToMs === undefined) deadlinePassed(pool, vm, timeMs);
    else pool.deadlines.schedule(`vm/${id}`, postponedToMs);
  } else if (vm.retryAtMs !== undefined && vm.retryAtMs <= timeMs) changeVm(pool, vm, timeMs, { retryAtMs: undefined });
  else if ((reservationEndMs(vm, pool.settings) ?? Number.POSITIVE_INFINITY) <= timeMs) {
    changeVm(pool, vm, timeMs, { reservation: undefined });
  } else {
    const dueMs = vmDueMs(vm, pool.settings);
    if (dueMs !== undefined) pool.deadlines.schedule(`vm/${id}`, dueMs);
  }
}

/**
 * A host between two sessions, or after this server's start, cannot tell of progress: what is due on it waits until it is
 * back, which sets the deadlines anew, or counts as silent. Nothing if the VM does not wait for a host to be heard.
 */
function awaitedContactMs(pool: Pool, vm: VmRecord, timeMs: number): number | undefined {
  if (vm.host === undefined || vm.state === "FAILED") return undefined;
  const contact = pool.contact(vm.host);
  if (contact === undefined || contact.isConnected || contact.silentAtMs <= timeMs) return undefined;
  return contact.silentAtMs;
}

function deadlinePassed(pool: Pool, vm: VmRecord, timeMs: number): void {
  switch (vm.state) {
    case "DELETED":
      pool.removeVm(vm.id);
      return;
    case "FAILED":
      // It was kept for a look for long enough.
      expireFailed(pool, vm, timeMs);
      return;
    case "PENDING":
      failVm(pool, vm, timeMs, {
        reason: "PendingTimeout",
        message: `no host had room for it within ${Math.round(vm.spec.pendingTimeoutMs / 1000)} s`,
        suspect: "none",
        releasesHost: false,
      });
      return;
    default: {
      const reason = vm.state === "PLACED" ? "HostDidNotAnswer" : "NoProgress";
      const message = `hosts/${vm.host} reported no progress while the VM was ${vm.state}; look at the agent's log there`;
      const failure = blame(pool, vm, { reason, message, suspect: "host" }, timeMs);
      if (!retryElsewhere(pool, vm, failure, timeMs)) failVm(pool, vm, timeMs, { ...failure, releasesHost: false });
    }
  }
}

function expireFailed(pool: Pool, vm: VmRecord, timeMs: number): void {
  const fields = {
    spec: { ...vm.spec, wanted: "deleted" as const },
    generation: vm.generation + 1,
    force: true,
    deadlineMs: undefined,
  };
  if (vm.host === undefined) moveVm(pool, vm, "dropped", { timeMs, reason: "RetentionOver", fields });
  else changeVm(pool, vm, timeMs, fields);
}

function templateDue(pool: Pool, id: TemplateId, timeMs: number): void {
  const template = pool.templates.get(id);
  if (template === undefined) return;
  settleTemplate(pool, template, timeMs);
  const dueMs = nextTemplateTroubleMs(pool.templates.get(id)?.trouble, pool.settings);
  if (dueMs !== undefined) pool.deadlines.schedule(`template/${id}`, dueMs);
}

function hostDue(pool: Pool, id: HostId, timeMs: number): void {
  const known = pool.hosts.get(id);
  if (known !== undefined) settleHost(pool, known, timeMs);
  const host = pool.hosts.get(id);
  const troubleMs = nextTroubleMs(host?.trouble, pool.settings);
  if (troubleMs !== undefined) pool.deadlines.schedule(`host/${id}`, troubleMs);
  const contact = pool.contact(id);
  if (host === undefined) return;
  // Planners look at what is due of a drain, of orphans, and of images that are to go.
  if (host.spec.drain?.deadlineMs !== undefined) {
    if (host.spec.drain.deadlineMs <= timeMs) pool.dirtyHosts.add(id);
    else pool.deadlines.schedule(`host/${id}`, host.spec.drain.deadlineMs);
  }
  const removalMs = nextRemovalMs(host);
  if (removalMs !== undefined) {
    if (removalMs <= timeMs) pool.dirtyHosts.add(id);
    else pool.deadlines.schedule(`host/${id}`, removalMs);
  }
  const prefetchMs = nextPrefetchMs(host);
  if (prefetchMs !== undefined) {
    if (prefetchMs <= timeMs) pool.imageErrands.havePrefetchesMoved = true;
    else pool.deadlines.schedule(`host/${id}`, prefetchMs);
  }
  const purgeMs = nextPurgeMs(host);
  if (purgeMs !== undefined) {
    if (purgeMs <= timeMs) pool.dirtyHosts.add(id);
    else pool.deadlines.schedule(`host/${id}`, purgeMs);
  }
  if (contact === undefined || host.state === "ENROLLED" || host.state === "LOST") return;
  const lostAtMs = contact.silentAtMs + pool.settings.hosts.lostAfterMs;
  if (timeMs < contact.silentAtMs) pool.deadlines.schedule(`host/${id}`, contact.silentAtMs);
  else if (timeMs < lostAtMs) {
    hostSilent(pool, host, "silent", timeMs);
    pool.deadlines.schedule(`host/${id}`, lostAtMs);
  } else hostSilent(pool, host, "lost", timeMs);
}

function hostSilent(pool: Pool, host: HostRecord, trigger: "silent" | "lost", timeMs: number): void {
  const state = nextHostState(host.state, trigger);
  if (state === undefined) return;
  changeHost(pool, host, timeMs, { state, stateSinceMs: timeMs });
  // Some leave the set on the way, which a set allows.
  for (const id of pool.vmsOn(host.id)) {
    const vm = pool.vms.get(id);
    if (vm === undefined) continue;
    moveVm(pool, vm, "host-silent", {
      timeMs,
      reason: "HostSilent",
      message: `hosts/${host.id} does not answer; the VM probably runs on there`,
    });
    const silent = pool.vms.get(id);
    if (state === "LOST" && silent !== undefined) partFromLostHost(pool, silent, timeMs);
  }
}

function forgetRequests(pool: Pool, timeMs: number): void {
  // They stand in the order of their times.
  for (const request of pool.requests.values()) {
    const dueMs = request.createTimeMs + requestRetentionMs;
    if (dueMs > timeMs) {
      pool.deadlines.schedule("requests", dueMs);
      return;
    }
    pool.removeRequest(request.id);
  }
}
