/** What must hold of a pool at every moment, recounted from its records alone. */
import assert from "node:assert/strict";
import type { HostRecord } from "../../../server/pool/host.ts";
import { HostLedger } from "../../../server/pool/ledger.ts";
import type { Pool } from "../../../server/pool/pool.ts";
import { ProjectLedger } from "../../../server/pool/project-ledgers.ts";
import { hostReservation, reservationOf } from "../../../server/pool/reservation.ts";
import { shapeOf } from "../../../server/pool/shape.ts";
import { type VmRecord, vmStates } from "../../../server/pool/vm.ts";
import { vmDueMs } from "../../../server/pool/vm-due.ts";
import { kindUnderWay } from "../../../server/pool/vm-machine.ts";
import { required } from "../../../shared/assert.ts";
import { asVmId, parseHostVmName } from "../../../shared/ids.ts";

/** Asserts that the indexes say what the records say, and that no rule of capacity is broken. */
export function checkPool(pool: Pool): void {
  for (const host of pool.hosts.values()) checkHost(pool, host);
  for (const vm of pool.vms.values()) checkVm(pool, vm);
  const vms = [...pool.vms.values()];
  for (const state of vmStates)
    assert.equal(pool.countVms(state), vms.filter((vm) => vm.state === state).length, state);
  for (const template of new Set(vms.map(({ spec }) => spec.template))) {
    const ofTemplate = vms.filter((vm) => vm.spec.template === template && vm.state !== "DELETED");
    assert.equal(pool.countVmsOf(template), ofTemplate.length, `VMs of ${template}`);
  }
  const waiting = vms.filter((vm) => vm.state === "PENDING" && vm.spec.wanted !== "deleted").map(({ id }) => id);
  assert.deepEqual([...pool.waiting].sort(), waiting.sort(), "VMs that wait");
  const dueTimes = vms.flatMap((vm) => latestLookMs(pool, vm) ?? []);
  if (dueTimes.length > 0) {
    const { nextMs } = pool.deadlines;
    assert.ok(nextMs !== undefined && nextMs <= Math.min(...dueTimes), "what is due next is scheduled");
  }
  for (const project of new Set(vms.map(({ spec }) => spec.project))) {
    const recounted = new ProjectLedger();
    for (const vm of vms) if (vm.spec.project === project) recounted.add(vm, 1);
    assert.deepEqual(pool.projectLedger(project), recounted, `the ledger of projects/${project}`);
  }
  checkGivingWay(pool, vms);
  checkImageErrands(pool);
  const deleted = vms.filter((vm) => vm.state === "DELETED").map(({ id }) => id);
  assert.deepEqual([...pool.deleted].sort(), deleted.sort(), "deleted VMs");
}

/** What the planners must leave behind: nothing that is on the way, or wanted gone, is left to itself. */
export function checkPlanned(pool: Pool): void {
  checkNotices(pool);
  for (const vm of pool.vms.values()) {
    const isCarried = vm.command !== undefined || vm.retryAtMs !== undefined;
    if (vm.state === "PLACED" || vm.state === "DELETING" || kindUnderWay(vm.state) !== undefined) {
      assert.ok(isCarried, `vms/${vm.id} is ${vm.state}, and nothing is under way`);
    }
    if (vm.spec.wanted === "deleted") {
      assert.ok(vm.state === "DELETING" || vm.state === "DELETED", `vms/${vm.id} is ${vm.state}, and wanted deleted`);
    }
  }
}

/** Who has what to do with images, recounted. */
function checkImageErrands(pool: Pool): void {
  const hosts = [...pool.hosts.values()];
  const idsOf = (those: readonly HostRecord[]): readonly string[] => those.map(({ id }) => id).sort();
  const asked = hosts.filter(({ prefetches }) => prefetches !== undefined);
  const pulling = hosts.filter(({ prefetches = [] }) => prefetches.some(({ commandId }) => commandId !== undefined));
  const purging = [...pool.templates.values()].filter(({ standing }) => standing?.purges !== undefined);
  assert.deepEqual([...pool.prefetchHosts].sort(), idsOf(asked), "hosts that have images to pull");
  assert.deepEqual([...pool.pullingHosts].sort(), idsOf(pulling), "hosts that pull an image");
  assert.deepEqual([...pool.purgingTemplates].sort(), purging.map(({ id }) => id).sort(), "templates that are purged");
}

/** Who gives way to whom, recounted; a notice that has run is nobody's to take back. */
function checkGivingWay(pool: Pool, vms: readonly VmRecord[]): void {
  const preemptible = new Map<string, number>();
  const victims = new Map<string, string[]>();
  for (const { id, host, spec, notice } of vms) {
    if (host !== undefined && spec.preemptible === true) preemptible.set(host, (preemptible.get(host) ?? 0) + 1);
    if (notice === undefined) continue;
    assert.ok(host !== undefined, `vms/${id} has notice on no host`);
    victims.set(notice.vm, [...(victims.get(notice.vm) ?? []), id]);
  }
  assert.deepEqual(new Map(pool.preemptions.hosts), preemptible, "preemptible VMs on hosts");
  assert.deepEqual([...pool.preemptions.served].sort(), [...victims.keys()].sort(), "VMs that others give way to");
  for (const [id, names] of victims) assert.deepEqual([...pool.givingWayTo(asVmId(id))].sort(), names.sort());
}

/** What the planners must leave behind of preemption: every notice is for one who needs it, and enough for that. */
function checkNotices(pool: Pool): void {
  for (const vm of pool.vms.values()) {
    const { notice, reservation } = vm;
    if (notice !== undefined && notice.isOver !== true) {
      const other = pool.vms.get(notice.vm);
      assert.ok(pool.settings.preemption.enabled, `vms/${vm.id} gives way though preemption is off`);
      assert.ok(other?.uid === notice.uid && other.state === "PENDING", `vms/${vm.id} gives way to nobody`);
      assert.equal(other.reservation?.host, vm.host, `vms/${vm.id} gives way in vain`);
      assert.ok(vm.spec.preemptible === true && vm.spec.priority < other.spec.priority, `vms/${vm.id} is a victim`);
      const ledger = pool.ledger(required(vm.host, "host"));
      assert.ok(!ledger.fitOnceGone([shapeOf(other)], vm), `vms/${vm.id} need not give way`);
    }
    if (vm.state !== "PENDING" || vm.spec.wanted === "deleted" || reservation?.noticeEndMs === undefined) continue;
    const host = required(pool.hosts.get(reservation.host), "host that room is kept on");
    const isAway = pool.contact(host.id)?.isConnected !== true;
    assert.ok(isAway || pool.ledger(host.id).fitOnceGone([shapeOf(vm)]), `what vms/${vm.id} was promised is gone`);
  }
}

/** What is due on a host that has yet to be heard, after a start for one, waits until the host counts as silent. */
function latestLookMs(pool: Pool, vm: VmRecord): number | undefined {
  const dueMs = vmDueMs(vm, pool.settings);
  const contact = vm.host === undefined ? undefined : pool.contact(vm.host);
  if (dueMs === undefined || contact === undefined || contact.isConnected) return dueMs;
  return Math.max(dueMs, contact.silentAtMs);
}

function checkHost(pool: Pool, host: HostRecord): void {
  checkOrphans(pool, host);
  const ledger = pool.ledger(host.id);
  const recounted = new HostLedger();
  recounted.setHost(host);
  const contact = pool.contact(host.id);
  if (contact !== undefined) recounted.setDisk(contact);
  const vms = [...pool.vms.values()].filter((vm) => vm.host === host.id);
  for (const vm of vms) recounted.addVm(vm, 1);
  const kept = [...pool.vms.values()].filter((vm) => reservationOf(vm)?.host === host.id);
  assert.ok(kept.length <= 1, `hosts/${host.id} keeps room for several VMs`);
  for (const vm of kept) {
    const reservation = required(reservationOf(vm), "reservation");
    recounted.keepRoom(hostReservation(vm, reservation), vms);
    assert.equal(pool.reservations.get(host.id), vm.id);
  }
  assert.equal(pool.reservations.has(host.id), kept.length === 1, `room on hosts/${host.id}`);
  assert.deepEqual(ledger, recounted, `the ledger of hosts/${host.id}`);
  assert.deepEqual([...pool.vmsOn(host.id)].sort(), vms.map(({ id }) => id).sort(), `VMs on hosts/${host.id}`);
  assert.ok(vms.filter((vm) => vm.image.guestOs === "macos").length <= host.spec.limits.macosSlots, "macOS guests");
  const cpuCount = vms.reduce((sum, vm) => sum + vm.resources.cpuCount, 0);
  const memoryMib = vms.reduce((sum, vm) => sum + vm.resources.memoryMib, 0);
  assert.ok(cpuCount <= ledger.cpuCapacity, `${cpuCount} CPUs on hosts/${host.id}`);
  assert.ok(memoryMib <= ledger.memoryCapacityMib, `${memoryMib} MiB on hosts/${host.id}`);
}

/** What carries our names and is not the pool's is on its way out, and nothing that is the pool's is. */
function checkOrphans(pool: Pool, { id, foreignVms, orphans }: HostRecord): void {
  const owned = new Set([...pool.vmsOn(id)].map((vm) => pool.vms.get(vm)?.sight?.id));
  for (const vm of foreignVms) {
    assert.ok(!owned.has(vm.id), `${vm.name} on hosts/${id} is counted twice`);
    const isKnown = orphans.some((orphan) => orphan.id === vm.id);
    assert.ok(isKnown || parseHostVmName(vm.name) === undefined, `${vm.name} on hosts/${id} is left to itself`);
  }
  for (const orphan of orphans) {
    assert.ok(
      foreignVms.some((vm) => vm.id === orphan.id),
      `${orphan.name} is not on hosts/${id}`,
    );
  }
  assert.equal(new Set(orphans.map((orphan) => orphan.id)).size, orphans.length, `orphans of hosts/${id}`);
}

function checkVm(pool: Pool, vm: VmRecord): void {
  const isOnHost = vm.state !== "PENDING" && vm.state !== "DELETED" && vm.state !== "FAILED";
  if (isOnHost) assert.ok(vm.host !== undefined && pool.hosts.has(vm.host), `vms/${vm.id} is ${vm.state} on no host`);
  if (vm.host === undefined) {
    assert.equal(vm.command, undefined, `vms/${vm.id} has a command and no host`);
    assert.equal(vm.sight, undefined, `vms/${vm.id} is seen on no host`);
  }
  assert.ok(vm.leaseEndMs === undefined || vm.host !== undefined, `vms/${vm.id} has a lease on no host`);
  assert.ok((vm.retriesUsed ?? 0) <= (vm.spec.retryAttempts ?? 0) || vm.state !== "PENDING", `vms/${vm.id} retries`);
  if (vm.command !== undefined) {
    assert.ok(["SENT", "ACCEPTED", "RUNNING"].includes(vm.command.state), `vms/${vm.id} keeps an ended command`);
    assert.ok(
      !["RUNNING", "STOPPED", "SUSPENDED", "PAUSED", "FAILED"].includes(vm.state),
      `vms/${vm.id} rests and acts`,
    );
  }
  assert.equal(vm.timeline.at(-1)?.state, vm.state);
}
