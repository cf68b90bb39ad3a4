/**
 * A farm whose Macs do everything at once, over the real engine and the real store: VMs are asked for, run for a while, and
 * are deleted, as many at a time as the farm has room for. Time is simulated, so that retention passes as it would.
 */
import { setImmediate } from "node:timers/promises";
import { Engine } from "../../../server/engine/engine.ts";
import type { DurableBatch } from "../../../server/pool/changes.ts";
import { Pool } from "../../../server/pool/pool.ts";
import type { Store } from "../../../server/storage/store.ts";
import { assert, required } from "../../../shared/assert.ts";
import { asUid } from "../../../shared/ids.ts";
import { silentLogger } from "../../../shared/log.ts";
import type { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedHost } from "../../support/pool/scripted-host.ts";
import { templateCreate, vmCreate, vmWant } from "../../support/pool/specs.ts";

export interface FarmOptions {
  readonly macs: number;
  /** How many VMs run at a time. */
  readonly running: number;
  /** How many lives end in a second of the pool's time. */
  readonly endsPerSecond: number;
}

/** How many VMs are on their way to run at a time: as many changes share a batch as with so many clients. */
const beginningMax = 256;

/** Of one VM: enough for any host to have room for many. */
const size = { cpuCount: 1, memoryMib: 1024, diskMib: 1000 };

export class Farm {
  private readonly engine: Engine;
  private readonly clock: FakeClock;
  private readonly options: FarmOptions;
  private readonly hosts = new Map<string, ScriptedHost>();
  private readonly runningIds: string[] = [];
  private begunCount: number;
  private endedCount = 0;
  private failure: unknown;

  /** @param begun how many VMs earlier runs on the same store began. */
  static async open(store: Store, clock: FakeClock, options: FarmOptions & { readonly begun: number }): Promise<Farm> {
    const engine = await Engine.open({ store, clock, log: silentLogger });
    const farm = new Farm(engine, clock, options);
    if (options.begun === 0) await engine.submit(templateCreate("linux", { resources: size }));
    for (let mac = 0; mac < options.macs; mac += 1) await farm.addMac(`mac-${mac}`);
    return farm;
  }

  private constructor(engine: Engine, clock: FakeClock, options: FarmOptions & { readonly begun: number }) {
    this.engine = engine;
    this.clock = clock;
    this.options = options;
    this.begunCount = options.begun;
    engine.onDurable((batch) => this.onBatch(batch));
  }

  /** Lets so many VMs live, from the asking to the last trace on a Mac; then none runs any more. */
  async live(count: number): Promise<void> {
    const endBegun = this.begunCount + count;
    this.endedCount = 0;
    let clockedCount = 0;
    while (this.endedCount < count) {
      while (this.begunCount < endBegun && this.unsettledCount(endBegun, count) < beginningMax) this.begin();
      const spared = this.begunCount < endBegun ? this.options.running : 0;
      while (this.runningIds.length > spared) this.end(required(this.runningIds.shift(), "running VM"));
      await setImmediate();
      if (this.failure !== undefined) throw this.failure;
      const passed = this.endedCount - clockedCount;
      clockedCount = this.endedCount;
      if (passed > 0) this.clock.advance((1000 * passed) / this.options.endsPerSecond);
    }
  }

  async close(): Promise<void> {
    await this.engine.close();
  }

  /** VMs that are on their way up or down. */
  private unsettledCount(endBegun: number, count: number): number {
    return this.begunCount - (endBegun - count) - this.endedCount - this.runningIds.length;
  }

  private begin(): void {
    this.begunCount += 1;
    const uid = asUid(this.begunCount.toString(16).padStart(32, "0"));
    this.carry(this.engine.submit(vmCreate(`vm-${this.begunCount}`, { uid })));
  }

  private end(id: string): void {
    this.carry(this.engine.submit(vmWant(id, "deleted", { force: true })));
  }

  private onBatch(batch: DurableBatch): void {
    for (const change of batch.changes) {
      if (change.kind !== "vm" || change.after === undefined) continue;
      const { before, after } = change;
      const { command } = after;
      if (after.state === "FAILED")
        this.failure ??= new Error(`${after.id} has failed: ${after.failure?.message ?? ""}`);
      if (command !== undefined && command.id !== before?.command?.id) {
        const host = required(this.hosts.get(required(after.host, "host")), "Mac");
        host.received.length = 0;
        this.carry(host.receive(after, command));
      }
      if (after.state === before?.state) continue;
      if (after.state === "RUNNING") this.runningIds.push(after.id);
      if (after.state === "DELETED") this.endedCount += 1;
    }
  }

  private async addMac(name: string): Promise<void> {
    const host = new ScriptedHost(this.engine, name);
    await host.connect();
    this.hosts.set(host.id, host);
    // Macs do not fall silent here, so that hours need no heartbeats.
    await this.engine.read((view) => {
      assert(view instanceof Pool, "the engine's view is its pool");
      const contact = required(view.contact(host.id), "contact");
      view.setContact(host.id, { ...contact, silentAtMs: Number.MAX_SAFE_INTEGER });
    });
  }

  private carry(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      this.failure ??= error;
    });
  }
}
