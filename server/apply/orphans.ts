/** Orphans: what hosts show that the pool does not own any more, how it is removed, and what becomes of that. */

import { required } from "../../shared/assert.ts";
import type { HostId } from "../../shared/ids.ts";
import type { OrphanRemove } from "../pool/events/decisions.ts";
import type { CommandReport } from "../pool/events/host-reports.ts";
import type { HostRecord, HostVm } from "../pool/host.ts";
import { retryDelayMs } from "../pool/limits.ts";
import { type Orphan, orphansAmong, removalIdOf } from "../pool/orphan.ts";
import type { Pool } from "../pool/pool.ts";
import type { VmRecord } from "../pool/vm.ts";
import { changeHost } from "./change-host.ts";

/** Gives the removal of an orphan to its host. False: there is nothing to remove any more, or it is under way. */
export function applyOrphanRemove(pool: Pool, event: OrphanRemove, timeMs: number): boolean {
  const host = pool.hosts.get(event.host);
  const orphan = host?.orphans.find(({ id }) => id === event.hostVmId);
  if (host === undefined || orphan === undefined || orphan.commandId !== undefined) return false;
  const removalCount = host.removalCount + 1;
  const commandId = removalIdOf(host, removalCount);
  changeHost(pool, host, timeMs, { removalCount, orphans: withOrphan(host, { ...orphan, commandId }) });
  return true;
}

/** Applies a report of a removal; false if it is of none that is under way. */
export function applyRemovalReport(pool: Pool, id: HostId, report: CommandReport, timeMs: number): boolean {
  const host = pool.hosts.get(id);
  const orphan = host?.orphans.find(({ commandId }) => commandId === report.commandId);
  if (host === undefined || orphan === undefined) return false;
  if (report.state === "SUCCEEDED") {
    changeHost(pool, host, timeMs, {
      foreignVms: host.foreignVms.filter((vm) => vm.id !== orphan.id),
      orphans: host.orphans.filter((other) => other.id !== orphan.id),
    });
  } else if (report.state === "FAILED" || report.state === "REFUSED") {
    const removeAtMs = timeMs + retryDelayMs(orphan.retryCount);
    const retryCount = orphan.retryCount + 1;
    changeHost(pool, host, timeMs, {
      orphans: withOrphan(host, { ...orphan, commandId: undefined, removeAtMs, retryCount }),
    });
  }
  return true;
}

/**
 * What stands on its host of a VM that the pool lets go of becomes an orphan, to be removed as soon as the host can: it holds
 * its capacity there as it did before.
 * @param vm as it was when it had its host.
 */
export function leaveBehind(pool: Pool, { host: id, sight, resources, image }: VmRecord, timeMs: number): void {
  if (id === undefined || sight === undefined) return;
  const host = required(pool.hosts.get(id), "host of a VM that is left behind");
  const left: HostVm = {
    ...sight,
    os: image.guestOs === "macos" ? "macosx" : image.guestOs,
    resources,
    isMacos: image.guestOs === "macos",
    uptimeSeconds: 0,
  };
  const foreignVms = [...host.foreignVms, left].sort(byName);
  const orphan: Orphan = { id: sight.id, name: sight.name, removeAtMs: timeMs, retryCount: 0 };
  const known = [...host.orphans, orphan];
  changeHost(pool, host, timeMs, { foreignVms, orphans: orphansAmong(pool, foreignVms, { known, timeMs }) });
}

/** In the order in which a host's foreign VMs are kept. */
export function byName(a: HostVm, b: HostVm): number {
  return compareText(a.name, b.name) || compareText(a.id, b.id);
}

function withOrphan(host: HostRecord, orphan: Orphan): readonly Orphan[] {
  return host.orphans.map((other) => (other.id === orphan.id ? orphan : other));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
