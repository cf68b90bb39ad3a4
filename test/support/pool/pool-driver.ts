/**
 * Drives a real engine over a store in memory, on a clock that a test moves, and plays the hosts: each command is handed to
 * its host when it is durable, as the sessions would do it, and again when the host connects.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { Engine } from "../../../server/engine/engine.ts";
import { explainVm, planVm } from "../../../server/placement/explain.ts";
import type { PlacementExplanation } from "../../../server/placement/explanation.ts";
import type { DurableBatch } from "../../../server/pool/changes.ts";
import type { HostConnected } from "../../../server/pool/events/host-reports.ts";
import type { EventReply, PoolEvent } from "../../../server/pool/events.ts";
import type { HostRecord, HostSpec } from "../../../server/pool/host.ts";
import { resolveImage } from "../../../server/pool/image.ts";
import { Pool } from "../../../server/pool/pool.ts";
import type { SettingsRecord, SettingsSpec } from "../../../server/pool/settings/settings.ts";
import type { PoolView } from "../../../server/pool/view.ts";
import type { VmCommand, VmRecord, VmState } from "../../../server/pool/vm.ts";
import { MemoryDisk, MemoryStore } from "../../../server/storage/memory-store.ts";
import { required } from "../../../shared/assert.ts";
import { type ErrorReason, MeridianError } from "../../../shared/errors.ts";
import { asHostId, asVmId, type HostId, hostVmName } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import { FakeClock } from "../fake-clock.ts";
import { ScriptedHost } from "./scripted-host.ts";
import {
  defaultTemplate,
  settingsUpdate,
  templateCreate,
  type VmCreateFields,
  type VmSpecFields,
  vmCreate,
  vmSpec,
} from "./specs.ts";

export interface PoolDriverOptions {
  /** What an earlier engine left. Default: nothing. */
  readonly disk?: MemoryDisk;
  readonly clock?: FakeClock;
}

export class PoolDriver {
  readonly engine: Engine;
  readonly store: MemoryStore;
  readonly disk: MemoryDisk;
  readonly clock: FakeClock;
  readonly batches: DurableBatch[] = [];
  private readonly hosts = new Map<HostId, ScriptedHost>();

  /** An engine with the default template, unless the disk has it already. */
  static async open({ disk = new MemoryDisk(), clock = new FakeClock() }: PoolDriverOptions = {}): Promise<PoolDriver> {
    const store = new MemoryStore(disk);
    const engine = await Engine.open({ store, clock, log: silentLogger });
    const driver = new PoolDriver({ engine, store, disk, clock });
    if (!driver.view().templates.has(defaultTemplate)) await driver.submit(templateCreate(defaultTemplate));
    return driver;
  }

  private constructor(parts: { engine: Engine; store: MemoryStore; disk: MemoryDisk; clock: FakeClock }) {
    this.engine = parts.engine;
    this.store = parts.store;
    this.disk = parts.disk;
    this.clock = parts.clock;
    this.engine.onDurable((batch) => this.onBatch(batch));
  }

  async close(): Promise<void> {
    await this.engine.close();
    await this.store.close();
  }

  /** Ends this engine and opens the next one on what is durable, at the same time. */
  async restart(): Promise<PoolDriver> {
    await this.close();
    return await PoolDriver.open({ disk: this.disk, clock: this.clock });
  }

  async submit<E extends PoolEvent>(event: E): Promise<EventReply<E>> {
    const reply = await this.engine.submit(event);
    await this.settle();
    return reply;
  }

  /** Asserts that the event is refused for the reason; returns the error. */
  async refuses(event: PoolEvent, reason: ErrorReason): Promise<MeridianError> {
    const outcome = await this.engine.submit(event).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert(outcome instanceof MeridianError, `${event.type} was not refused`);
    assert.equal(outcome.reason, reason, outcome.message);
    return outcome;
  }

  /** Adds a host and opens its session. */
  async addHost(name: string, fields: Partial<HostConnected> = {}): Promise<ScriptedHost> {
    const host = this.newHost(name, fields);
    await this.connect(host);
    return host;
  }

  /** A host that was added. */
  host(name: string): ScriptedHost {
    return required(this.hosts.get(asHostId(name)), `host ${name}`);
  }

  /** A host that has not connected yet. */
  newHost(name: string, fields: Partial<HostConnected> = {}): ScriptedHost {
    const host = new ScriptedHost(this.engine, name, fields);
    this.hosts.set(host.id, host);
    return host;
  }

  /** Opens a session of the host; what has not ended is sent to it again. */
  async connect(host: ScriptedHost, fields: Partial<HostConnected> = {}): Promise<void> {
    await host.connect(fields);
    const unfinished = [...this.view().vmsOn(host.id)].map((id) => this.vm(id));
    for (const vm of unfinished) if (vm.command !== undefined) this.send(vm, vm.command);
    this.sendRemovals(undefined, this.view().hosts.get(host.id));
    await this.settle();
  }

  /** Asks for a VM and waits until nothing moves any more. */
  async create(name: string, fields: VmCreateFields = {}): Promise<VmRecord> {
    await this.submit(vmCreate(name, fields));
    return this.vm(name);
  }

  /** Lets everything happen that needs no time to pass. */
  async settle(): Promise<void> {
    // Everything between the engine, a store in memory and the hosts is promises: they have all run before this comes back.
    await setImmediate();
  }

  /** Lets time pass, and everything happen that it brings about, in order. Connected hosts send heartbeats meanwhile. */
  async advance(spanMs: number, { heartbeatMs = 10_000 }: { readonly heartbeatMs?: number } = {}): Promise<void> {
    let leftMs = spanMs;
    let untilHeartbeatMs = heartbeatMs;
    while (leftMs > 0) {
      const stepMs = Math.min(leftMs, untilHeartbeatMs, Math.max(1, this.clock.nextDelayMs ?? leftMs));
      this.clock.advance(stepMs);
      await this.settle();
      leftMs -= stepMs;
      untilHeartbeatMs -= stepMs;
      if (untilHeartbeatMs > 0) continue;
      untilHeartbeatMs = heartbeatMs;
      for (const host of this.hosts.values()) if (host.isConnected) await host.heartbeat();
    }
  }

  /** The pool itself, to look at what nobody else sees. */
  view(): Pool {
    let pool: PoolView | undefined;
    const reading = this.engine.read((view) => {
      pool = view;
    });
    reading.catch(() => undefined);
    assert(pool instanceof Pool);
    return pool;
  }

  /** Changes the settings: to these, and to defaults in all else. */
  async set(spec: SettingsSpec): Promise<SettingsRecord> {
    return await this.submit(settingsUpdate(spec, this.view().settingsRecord?.generation ?? 0));
  }

  /** Changes a host's spec as an operator does. */
  async changeHost(name: string, fields: Partial<HostSpec>): Promise<HostRecord> {
    const { id, generation, spec } = required(this.view().hosts.get(asHostId(name)), `host ${name}`);
    return await this.submit({ type: "host-update", id, baseGeneration: generation, spec: { ...spec, ...fields } });
  }

  /** Why the VM waits, or why it stands where it does. */
  explain(name: string): PlacementExplanation {
    return explainVm(this.view(), this.vm(name), this.engine.nowMs());
  }

  /** Where a VM would be placed now. */
  plan(fields: VmSpecFields = {}, count = 1): PlacementExplanation {
    const spec = vmSpec(fields);
    const nowMs = this.engine.nowMs();
    return planVm(this.view(), { spec, image: resolveImage(this.view(), spec), count, nowMs });
  }

  vm(name: string): VmRecord {
    return required(this.view().vms.get(asVmId(name)), `VM ${name}`);
  }

  /** The VM's name on its host. */
  hostName(name: string): string {
    const { uid, attempt } = this.vm(name);
    return hostVmName(uid, attempt);
  }

  /** The VM's states so far. */
  states(name: string): readonly VmState[] {
    return this.vm(name).timeline.map(({ state }) => state);
  }

  private onBatch(batch: DurableBatch): void {
    this.batches.push(batch);
    for (const change of batch.changes) {
      if (change.kind === "host") this.sendRemovals(change.before, change.after);
      if (change.kind !== "vm") continue;
      const command = change.after?.command;
      if (change.after === undefined || command === undefined || command.id === change.before?.command?.id) continue;
      this.send(change.after, command);
    }
  }

  private sendRemovals(before: HostRecord | undefined, after: HostRecord | undefined): void {
    const host = after === undefined ? undefined : this.hosts.get(after.id);
    if (host?.isConnected !== true) return;
    const sent = new Set(before?.orphans.map(({ commandId }) => commandId));
    for (const { id, commandId } of after?.orphans ?? []) {
      if (commandId === undefined || sent.has(commandId)) continue;
      host.receiveRemoval(id, commandId).catch(() => undefined);
    }
    const purging = new Set(before?.imagePurges?.map(({ commandId }) => commandId));
    for (const purge of after?.imagePurges ?? []) {
      if (purge.commandId === undefined || purging.has(purge.commandId)) continue;
      host.receivePurge(purge).catch(() => undefined);
    }
    const pulling = new Set(before?.prefetches?.map(({ commandId }) => commandId));
    for (const prefetch of after?.prefetches ?? []) {
      if (prefetch.commandId === undefined || pulling.has(prefetch.commandId)) continue;
      host.receivePrefetch(prefetch).catch(() => undefined);
    }
  }

  private send(vm: VmRecord, command: VmCommand): void {
    const host = vm.host === undefined ? undefined : this.hosts.get(vm.host);
    if (host?.isConnected !== true) return;
    // A host whose engine has ended has nobody to report to.
    host.receive(vm, command).catch(() => undefined);
  }
}
