/** A change of the settings, and what it changes at once: what is due, and which VMs may have a host now. */
import { asUid } from "../../shared/ids.ts";
import type { SettingsUpdate } from "../pool/events/pool.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolSettings, SettingsRecord } from "../pool/settings/settings.ts";
import { vmDueMs } from "../pool/vm-due.ts";
import { checkEtag, checkGeneration } from "./checks.ts";

/** What the etag of settings is made of as long as nothing was ever set. */
export const settingsNeverSet = { uid: asUid(""), revision: 0, generation: 0 };

export function applySettingsUpdate(pool: Pool, event: SettingsUpdate, timeMs: number): SettingsRecord {
  const { settingsRecord: known, settings: before } = pool;
  checkEtag(known ?? settingsNeverSet, event.etag, "settings");
  checkGeneration(known ?? settingsNeverSet, event.baseGeneration, "settings");
  const record: SettingsRecord = {
    id: "pool",
    uid: known?.uid ?? event.uid,
    spec: event.spec,
    generation: event.baseGeneration + 1,
    createTimeMs: known?.createTimeMs ?? timeMs,
    updateTimeMs: timeMs,
    revision: pool.nextRevision,
  };
  pool.putSettings(record);
  if (pool.settings.hosts !== before.hosts) judgeSilence(pool, before, timeMs);
  if (pool.settings.hosts !== before.hosts || pool.settings.placement !== before.placement) judgeTrouble(pool, timeMs);
  if (pool.settings.hosts.parallelPrefetches !== before.hosts.parallelPrefetches)
    pool.imageErrands.havePrefetchesMoved = true;
  if (pool.settings.vms !== before.vms) judgeRetention(pool);
  if (pool.settings.preemption !== before.preemption) judgeNotices(pool);
  // Any filter may read settings, and operators change them seldom: each shape that waits costs one look at the hosts.
  if (Object.entries(pool.settings).some(([name, section]) => section !== before[name as keyof PoolSettings])) {
    pool.queue.wakeAll();
  }
  return record;
}

/** Contacts are silent after as many periods as it is now; the tick looks at each host again. */
function judgeSilence(pool: Pool, before: PoolSettings, timeMs: number): void {
  const growth = pool.settings.hosts.silentAfterPeriods / before.hosts.silentAfterPeriods;
  for (const id of pool.hosts.keys()) {
    const contact = pool.contact(id);
    if (contact === undefined) continue;
    const { heardAtMs, silentAtMs } = contact;
    // One that was not heard since this server's start is given its time of grace.
    if (heardAtMs > 0) pool.setContact(id, { ...contact, silentAtMs: heardAtMs + (silentAtMs - heardAtMs) * growth });
    pool.deadlines.schedule(`host/${id}`, timeMs);
  }
}

/** Failures may count for another time than before, and quarantines may be over: the tick looks at each host and template. */
function judgeTrouble(pool: Pool, timeMs: number): void {
  for (const { id, trouble } of pool.hosts.values()) {
    if (trouble !== undefined) pool.deadlines.schedule(`host/${id}`, timeMs);
  }
  for (const { id, trouble } of pool.templates.values()) {
    if (trouble !== undefined) pool.deadlines.schedule(`template/${id}`, timeMs);
  }
}

/** Nobody may have to give way any more: the planners look at all that was told. */
function judgeNotices(pool: Pool): void {
  for (const id of pool.preemptions.served) {
    const reservation = pool.vms.get(id)?.reservation;
    if (reservation !== undefined) pool.movedReservations.add(reservation.host);
  }
}

/** What has ended may be kept for a shorter time than it was. */
function judgeRetention(pool: Pool): void {
  for (const vm of pool.vms.values()) {
    if (vm.state !== "FAILED" && vm.state !== "DELETED") continue;
    const dueMs = vmDueMs(vm, pool.settings);
    if (dueMs !== undefined) pool.deadlines.schedule(`vm/${vm.id}`, dueMs);
  }
}
