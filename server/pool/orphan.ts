/**
 * An orphan: a VM on a host that carries one of our names, or that the pool has let go of, and that no VM of the pool is. It
 * holds capacity as any VM does that is not the pool's. One of a VM that the pool knows (replaced, failed or deleted meanwhile)
 * is removed at once; of one that it does not know there may be an owner yet, so that it is first shown for a while. Orphans
 * are kept in their host's record: the command that removes one is sent again in each session until the host says that it is
 * gone.
 */
import { asCommandId, type CommandId, parseHostVmName } from "../../shared/ids.ts";
import type { HostRecord, HostVm } from "./host.ts";
import { orphanGraceMs } from "./limits.ts";
import type { PoolView } from "./view.ts";

export interface Orphan {
  /** Its id in Parallels Desktop. */
  readonly id: string;
  /** Its name in Parallels Desktop. */
  readonly name: string;
  /** When it is removed. */
  readonly removeAtMs: number;
  /** The command that removes it, once it was sent. */
  readonly commandId?: CommandId | undefined;
  /** How often its removal has failed. */
  readonly retryCount: number;
}

/** The host's orphans: those that it still shows, and foreign VMs with names of ours that are new. */
export function orphansAmong(
  view: Pick<PoolView, "findVmByUid">,
  foreignVms: readonly HostVm[],
  { known, timeMs }: { readonly known: readonly Orphan[]; readonly timeMs: number },
): readonly Orphan[] {
  return foreignVms.flatMap((vm) => {
    // Whoever renames one has taken it.
    const before = known.find(({ id, name }) => id === vm.id && name === vm.name);
    if (before !== undefined) return before;
    const parsed = parseHostVmName(vm.name);
    if (parsed === undefined) return [];
    const graceMs = view.findVmByUid(parsed.uid) === undefined ? orphanGraceMs : 0;
    return { id: vm.id, name: vm.name, removeAtMs: timeMs + graceMs, retryCount: 0 };
  });
}

/** When the next of the host's orphans is to be removed; nothing if none is waiting for that. */
export function nextRemovalMs(host: HostRecord): number | undefined {
  const dueMs = host.orphans.flatMap((orphan) => (orphan.commandId === undefined ? orphan.removeAtMs : []));
  return dueMs.length === 0 ? undefined : Math.min(...dueMs);
}

/** The id of a host's removal number `count`: derived, so that the same decision is the same command. */
export function removalIdOf(host: HostRecord, count: number): CommandId {
  return asCommandId(`${host.uid}-${count}`);
}
