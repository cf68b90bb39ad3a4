/**
 * Tells hosts until when their VMs may live: all leases of a host right after its session has opened, before anything else is
 * sent to it, and from then on each that changes without a command, such as by a renewal. Commands carry the lease of their
 * VM themselves.
 */
import type { HostId } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { DurableBatch, EngineApi } from "../engine/engine-api.ts";
import { expiryOf } from "../pool/lease.ts";
import type { VmRecord } from "../pool/vm.ts";
import { writeLease } from "./command-messages.ts";
import type { Session } from "./session.ts";

export interface LeaseNoticesOptions {
  readonly engine: EngineApi;
  readonly log: Logger;
  /** The host's open session. */
  readonly findSession: (host: HostId) => Session | undefined;
}

export class LeaseNotices {
  private readonly options: LeaseNoticesOptions;
  /** Sessions that are about to be told all leases, and what has changed since those were read. */
  private readonly opening = new Map<Session, VmRecord[]>();

  constructor(options: LeaseNoticesOptions) {
    this.options = options;
  }

  /** Tells the host of all its leases. Resolves when that is on its way. */
  async tellAll(session: Session, host: HostId): Promise<void> {
    const { engine, log } = this.options;
    const changed: VmRecord[] = [];
    this.opening.set(session, changed);
    try {
      const vms = await engine.read((view) =>
        [...view.vmsOn(host)].flatMap((id) => {
          const vm = view.vms.get(id);
          return vm === undefined || expiryOf(vm) === undefined ? [] : [vm];
        }),
      );
      if (!session.isOpen) return;
      this.send(session, vms, true);
      if (changed.length > 0) this.send(session, changed, false);
    } catch (error) {
      log.warn({ host_id: host, session_id: session.id, err: error }, "leases not sent");
    } finally {
      this.opening.delete(session);
    }
  }

  onBatch(batch: DurableBatch): void {
    for (const change of batch.changes) {
      if (change.kind !== "vm") continue;
      const { before, after } = change;
      if (after?.host === undefined) continue;
      const isPlaced = before?.host !== after.host;
      const hasChanged = before === undefined || expiryOf(before)?.atMs !== expiryOf(after)?.atMs;
      const session = isPlaced || hasChanged ? this.options.findSession(after.host) : undefined;
      if (session === undefined) continue;
      const changed = this.opening.get(session);
      // What all leases are about to be told without is told after them, what came with a command included.
      if (changed !== undefined) changed.push(after);
      else if (!isPlaced) this.send(session, [after], false);
    }
  }

  private send(session: Session, vms: readonly VmRecord[], isWhole: boolean): void {
    const nowMs = this.options.engine.nowMs();
    session.sendLeases(
      vms.map((vm) => writeLease(vm, nowMs)),
      isWhole,
    );
  }
}
