/**
 * Sends the pool's commands to the hosts that they are for: each once it is durable, once in a session, and again in the
 * next session as long as it has not ended. It looks at what VMs have become, never at who asked: a VM with a command that
 * its host's session has not been sent is sent it; a command that its VM no longer has is called off. Removals of orphans
 * and of images, and prefetches, are sent in the same way.
 */

import { required } from "../../shared/assert.ts";
import type { Cancellable } from "../../shared/clock.ts";
import type { CommandId, HostId } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { DurableBatch, EngineApi } from "../engine/engine-api.ts";
import type { HostRecord } from "../pool/host.ts";
import type { ImagePrefetch } from "../pool/image-prefetch.ts";
import type { ImagePurge } from "../pool/image-purge.ts";
import { expiryOf, hostLeaseMs } from "../pool/lease.ts";
import type { Orphan } from "../pool/orphan.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import {
  type CommandMessage,
  type OpenCredentials,
  type WrittenCommand,
  writeCommand,
  writePrefetch,
  writePurge,
  writeRemoval,
} from "./command-messages.ts";
import { dispatchChunk } from "./limits.ts";
import type { Session } from "./session.ts";

export interface DispatchOptions {
  readonly engine: EngineApi;
  readonly log: Logger;
  readonly openCredentials: OpenCredentials;
  /** The host's open session. */
  readonly findSession: (host: HostId) => Session | undefined;
}

export class Dispatch {
  private readonly options: DispatchOptions;
  private readonly subscription: Cancellable;
  /** VMs whose lease has changed while a command of theirs was being written, by session and command. */
  private readonly renewed = new Map<string, VmRecord>();

  constructor(options: DispatchOptions) {
    this.options = options;
    this.subscription = options.engine.onDurable((batch) => this.onBatch(batch));
  }

  /** Sends what has not ended of all that the session's host was told before, and calls off what nobody waits for any more. */
  catchUp(session: Session, host: HostId): void {
    let unwanted: readonly CommandId[] = [];
    const read = (view: PoolView): readonly Order[] => {
      const orders = [
        ...[...view.vmsOn(host)].flatMap((id) => vmOrder(session, required(view.vms.get(id), "VM on a host")) ?? []),
        ...hostOrders(session, view.hosts.get(host)),
      ];
      const wanted = new Set(orders.map(({ id }) => id));
      unwanted = session.unfinished.filter((id) => !wanted.has(id));
      return orders;
    };
    this.send(read, () => {
      for (const id of unwanted) session.sendCancel(id, "Withdrawn");
    });
  }

  close(): void {
    this.subscription.cancel();
  }

  private onBatch(batch: DurableBatch): void {
    const orders: Order[] = [];
    for (const change of batch.changes) {
      if (change.kind === "vm") orders.push(...this.followVm(change.before, change.after));
      else if (change.kind === "host") orders.push(...this.followHost(change.before, change.after));
    }
    if (orders.length > 0) this.send(() => orders);
  }

  private followVm(before: VmRecord | undefined, after: VmRecord | undefined): readonly Order[] {
    if (before?.command?.id === after?.command?.id) {
      this.noteRenewal(before, after);
      return [];
    }
    if (before?.command !== undefined) this.withdraw(before.host, before.command.id);
    const session = after?.command === undefined ? undefined : this.findSession(after.host);
    const order = session === undefined || after === undefined ? undefined : vmOrder(session, after);
    return order === undefined ? [] : [order];
  }

  /** The host hears of it at once; a command that was written before must not take it back. */
  private noteRenewal(before: VmRecord | undefined, after: VmRecord | undefined): void {
    if (before === undefined || after?.command === undefined) return;
    if (expiryOf(before)?.atMs === expiryOf(after)?.atMs) return;
    const session = this.findSession(after.host);
    if (session?.commands.get(after.command.id) !== "preparing") return;
    this.renewed.set(keyOf(session, after.command.id), after);
  }

  private followHost(before: HostRecord | undefined, after: HostRecord | undefined): readonly Order[] {
    if (
      before?.orphans === after?.orphans &&
      before?.imagePurges === after?.imagePurges &&
      before?.prefetches === after?.prefetches
    )
      return [];
    const session = this.findSession(after?.id);
    const orders = session === undefined ? [] : hostOrders(session, after);
    const wanted = new Set(errandsOf(after).map(({ commandId }) => commandId));
    for (const { commandId } of errandsOf(before)) {
      if (commandId !== undefined && !wanted.has(commandId)) this.withdraw(before?.id, commandId);
    }
    return orders;
  }

  /** Calls off a command that nobody waits for any more. One whose end was reported is known to the session no more. */
  private withdraw(host: HostId | undefined, id: CommandId): void {
    const session = this.findSession(host);
    const progress = session?.commands.get(id);
    session?.commands.delete(id);
    if (progress === "sent") session?.sendCancel(id, "Withdrawn");
  }

  /**
   * Writes and sends what `collect` finds. What is looked up for it (a catalog's address, the VM to copy) may be newer than
   * what is durable, so it waits until that is durable as well; a command that is withdrawn meanwhile is not sent.
   */
  private send(collect: (view: PoolView) => readonly Order[], whenDurable?: () => void): void {
    const { engine, log, openCredentials } = this.options;
    const written = engine.read((view) =>
      collect(view).flatMap((order): WrittenOrder[] => {
        const { session, id } = order;
        if (session.commands.has(id)) return [];
        session.commands.set(id, "preparing");
        const nowMs = engine.nowMs();
        return [{ ...order, writtenAtMs: nowMs, written: order.write(view, { nowMs, openCredentials }) }];
      }),
    );
    written.then(
      (orders) => {
        whenDurable?.();
        this.sendFrom(orders, 0);
      },
      (error: unknown) => log.warn({ err: error }, "commands not sent"),
    );
  }

  /** A great many at once are sent in portions, so that heartbeats are heard in between. */
  private sendFrom(orders: readonly WrittenOrder[], start: number): void {
    const end = Math.min(start + dispatchChunk, orders.length);
    for (const order of orders.slice(start, end)) this.sendOne(order);
    if (end < orders.length) setImmediate(() => this.sendFrom(orders, end));
  }

  private sendOne({ session, id, fields, mayStand, written, writtenAtMs }: WrittenOrder): void {
    const renewed = this.renewed.get(keyOf(session, id));
    this.renewed.delete(keyOf(session, id));
    if (!session.isOpen || session.commands.get(id) !== "preparing") return;
    session.commands.set(id, "sent");
    const { log, engine } = this.options;
    const logged = { ...fields, session_id: session.id, command_id: id };
    if (written.kind === "message") {
      const nowMs = engine.nowMs();
      const { message } = written;
      session.sendCommand(
        renewed === undefined
          ? withAgedLease(message, nowMs - writtenAtMs)
          : { ...message, leaseMs: hostLeaseMs(renewed, nowMs) },
      );
      log.debug(logged, "command sent");
      return;
    }
    session.commands.delete(id);
    log.info({ ...logged, reason: written.failure.reason }, "command impossible");
    engine
      .submit({
        type: "command-reported",
        hostId: required(session.identity, "host of a session").host,
        epoch: session.epoch,
        report: {
          commandId: id,
          state: "FAILED",
          failure: written.failure,
          ...(mayStand ? { isVmUnknown: true } : {}),
        },
      })
      .catch((error: unknown) => log.warn({ ...logged, err: error }, "command's end not taken"));
  }

  private findSession(host: HostId | undefined): Session | undefined {
    return host === undefined ? undefined : this.options.findSession(host);
  }
}

interface WritingContext {
  /** The pool's time. */
  readonly nowMs: number;
  readonly openCredentials: OpenCredentials;
}

/** A command that is a session's to send. */
interface Order {
  readonly session: Session;
  readonly id: CommandId;
  /** For the log. */
  readonly fields: object;
  readonly write: (view: PoolView, now: WritingContext) => WrittenCommand;
  /** Whether an earlier command may have left something of the VM on the host. */
  readonly mayStand: boolean;
}

interface WrittenOrder extends Order {
  readonly written: WrittenCommand;
  /** By the pool's time. */
  readonly writtenAtMs: number;
}

function keyOf(session: Session, id: CommandId): string {
  return `${session.id}/${id}`;
}

/** What was left of the VM's lease when the command was written has become less while it became durable. */
function withAgedLease(message: CommandMessage, ageMs: number): CommandMessage {
  return message.leaseMs > 0 ? { ...message, leaseMs: Math.max(1, message.leaseMs - ageMs) } : message;
}

function vmOrder(session: Session, vm: VmRecord): Order | undefined {
  const { command } = vm;
  if (command === undefined) return undefined;
  return {
    session,
    id: command.id,
    fields: { host_id: vm.host, vm_id: vm.id, kind: command.kind },
    write: (view, now) => writeCommand(view, { vm, command, ...now }),
    mayStand: vm.state !== "PLACED" || vm.sight !== undefined || vm.mayHaveRemains === true,
  };
}

/** What a host is told that is about no VM of the pool. */
function hostOrders(session: Session, host: HostRecord | undefined): readonly Order[] {
  return errandsOf(host).flatMap((errand) => {
    const { commandId: id } = errand;
    if (id === undefined) return [];
    return { session, id, mayStand: true, ...orderOf(errand, id, { host_id: host?.id }) };
  });
}

type Errand = Orphan | ImagePurge | ImagePrefetch;

function orderOf(errand: Errand, id: CommandId, fields: object): Pick<Order, "fields" | "write"> {
  if ("template" in errand) {
    const { template, source } = errand;
    return {
      fields: {
        ...fields,
        template_id: template,
        catalog_id: source.catalogId,
        version: source.version,
        kind: "prefetch",
      },
      write: (view, { openCredentials }) => writePrefetch(view, { prefetch: errand, id, openCredentials }),
    };
  }
  if ("name" in errand) {
    return {
      fields: { ...fields, host_vm_name: errand.name, kind: "remove" },
      write: () => ({ kind: "message", message: writeRemoval(id, errand.id) }),
    };
  }
  return {
    fields: { ...fields, catalog_id: errand.catalogId, version: errand.version, kind: "purge" },
    write: () => ({ kind: "message", message: writePurge(id, errand) }),
  };
}

function errandsOf(host: HostRecord | undefined): readonly Errand[] {
  return host === undefined ? [] : [...host.orphans, ...(host.imagePurges ?? []), ...(host.prefetches ?? [])];
}
