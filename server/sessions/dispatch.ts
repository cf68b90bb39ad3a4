/**
 * Sends the pool's commands to the hosts that they are for: each once it is durable, once in a session, and again in the
 * next session as long as it has not ended. It looks at what VMs have become, never at who asked: a VM with a command that
 * its host's session has not been sent is sent it; a command that its VM no longer has is called off.
 */

import { required } from "../../shared/assert.ts";
import type { Cancellable } from "../../shared/clock.ts";
import type { HostId } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { DurableBatch, EngineApi } from "../engine/engine-api.ts";
import type { PoolView } from "../pool/view.ts";
import type { VmCommand, VmRecord } from "../pool/vm.ts";
import { type WrittenCommand, writeCommand } from "./command-messages.ts";
import { dispatchChunk } from "./limits.ts";
import type { Session } from "./session.ts";

export interface DispatchOptions {
  readonly engine: EngineApi;
  readonly log: Logger;
  /** The host's open session. */
  readonly findSession: (host: HostId) => Session | undefined;
}

export class Dispatch {
  private readonly options: DispatchOptions;
  private readonly subscription: Cancellable;

  constructor(options: DispatchOptions) {
    this.options = options;
    this.subscription = options.engine.onDurable((batch) => this.onBatch(batch));
  }

  /** Sends what has not ended of all that the session's host was told before. */
  catchUp(session: Session, host: HostId): void {
    this.send((view) =>
      [...view.vmsOn(host)].flatMap((id) => {
        const vm = required(view.vms.get(id), "VM on a host");
        return vm.command === undefined ? [] : [{ session, vm, command: vm.command }];
      }),
    );
  }

  close(): void {
    this.subscription.cancel();
  }

  private onBatch(batch: DurableBatch): void {
    const orders: Order[] = [];
    for (const change of batch.changes) {
      if (change.kind !== "vm") continue;
      const { before, after } = change;
      if (before?.command?.id === after?.command?.id) continue;
      if (before?.command !== undefined) this.withdraw(before, before.command);
      if (after?.command === undefined) continue;
      const session = this.findSession(after);
      if (session !== undefined) orders.push({ session, vm: after, command: after.command });
    }
    if (orders.length > 0) this.send(() => orders);
  }

  /** Calls off a command that its VM no longer has. One whose end was reported is known to the session no more. */
  private withdraw(vm: VmRecord, command: VmCommand): void {
    const session = this.findSession(vm);
    const progress = session?.commands.get(command.id);
    session?.commands.delete(command.id);
    if (progress === "sent") session?.sendCancel(command.id, "Withdrawn");
  }

  /**
   * Writes and sends what `collect` finds. What is looked up for it (a catalog's address, the VM to copy) may be newer than
   * what is durable, so it waits until that is durable as well; a command that is withdrawn meanwhile is not sent.
   */
  private send(collect: (view: PoolView) => readonly Order[]): void {
    const { engine, log } = this.options;
    const written = engine.read((view) =>
      collect(view).flatMap((order): WrittenOrder[] => {
        const { session, vm, command } = order;
        if (session.commands.has(command.id)) return [];
        session.commands.set(command.id, "preparing");
        return [{ ...order, written: writeCommand(view, { vm, command, nowMs: engine.nowMs() }) }];
      }),
    );
    written.then(
      (orders) => this.sendFrom(orders, 0),
      (error: unknown) => log.warn({ err: error }, "commands not sent"),
    );
  }

  /** A great many at once are sent in portions, so that heartbeats are heard in between. */
  private sendFrom(orders: readonly WrittenOrder[], start: number): void {
    const end = Math.min(start + dispatchChunk, orders.length);
    for (const order of orders.slice(start, end)) this.sendOne(order);
    if (end < orders.length) setImmediate(() => this.sendFrom(orders, end));
  }

  private sendOne({ session, vm, command, written }: WrittenOrder): void {
    if (!session.isOpen || session.commands.get(command.id) !== "preparing") return;
    session.commands.set(command.id, "sent");
    const { log, engine } = this.options;
    const fields = {
      host_id: vm.host,
      session_id: session.id,
      vm_id: vm.id,
      command_id: command.id,
      kind: command.kind,
    };
    if (written.kind === "message") {
      session.sendCommand(written.message);
      log.debug(fields, "command sent");
      return;
    }
    session.commands.delete(command.id);
    log.info({ ...fields, reason: written.failure.reason }, "command impossible");
    engine
      .submit({
        type: "command-reported",
        hostId: required(vm.host, "host of a command"),
        epoch: session.epoch,
        report: { commandId: command.id, state: "FAILED", failure: written.failure },
      })
      .catch((error: unknown) => log.warn({ ...fields, err: error }, "command's end not taken"));
  }

  private findSession(vm: VmRecord): Session | undefined {
    return vm.host === undefined ? undefined : this.options.findSession(vm.host);
  }
}

interface Order {
  readonly session: Session;
  readonly vm: VmRecord;
  readonly command: VmCommand;
}

interface WrittenOrder extends Order {
  readonly written: WrittenCommand;
}
