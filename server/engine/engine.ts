/**
 * The engine: the only writer. It applies events to the pool, lets the planners look at what changed, and makes all changes
 * durable, many at once: while one batch is being synced, the next one fills. Nothing leaves before it is durable. When the
 * store fails, the engine ends: memory must never run ahead of what a restart would find.
 */

import { assert } from "../../shared/assert.ts";
import type { Cancellable, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { Logger } from "../../shared/log.ts";
import type { BootClock } from "../../shared/machine.ts";
import { applyEvent } from "../apply/apply-event.ts";
import { planDrain } from "../planners/drain.ts";
import { planPrefetches } from "../planners/image-prefetches.ts";
import { planPurges } from "../planners/image-purges.ts";
import { planVmStep } from "../planners/lifecycle.ts";
import { planRemovals } from "../planners/orphans.ts";
import { planNotice } from "../planners/preemption.ts";
import { planProbe } from "../planners/probe.ts";
import { planRevocation } from "../planners/revocation.ts";
import { PlacementPlanner } from "../planners/waiting.ts";
import type { DurableBatch } from "../pool/changes.ts";
import type { EventReply, PoolEvent } from "../pool/events.ts";
import { heartbeatPeriodMs, purgesPerBatchMax } from "../pool/limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolView } from "../pool/view.ts";
import type { Store, StoreBatch } from "../storage/store.ts";
import { ChangeLog } from "./change-log.ts";
import type { EngineApi } from "./engine-api.ts";
import { PoolTime } from "./pool-time.ts";
import { decodePool, encodeBatch, encodeTimeAnchor } from "./records.ts";

export interface EngineOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** The time since the machine's start. Absent: the pool's time begins at the machine's clock in each run. */
  readonly boot?: BootClock;
  readonly log: Logger;
  /** Looks at the pool as it was stored, before anything is done with it. When it rejects, nothing has been changed. */
  readonly inspect?: (view: PoolView) => Promise<void>;
}

/**
 * How many VMs the planners look at, and how many they place, before a batch goes to the store: a great many that wait must
 * not keep those that ask from being answered.
 */
const plannedPerBatchMax = 1_000;

/** The shortest time between two ticks, in ms: what is due within it is done together. */
const tickSpacingMs = 5;

/** How far the machine's clock may be from the pool's time without a word, in ms: clocks are put right a little all the time. */
const clockToleranceMs = 10_000;

interface Waiter {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: MeridianError) => void;
}

export class Engine implements EngineApi {
  /** Resolves when the engine was closed, rejects with the store's error when it had to end. */
  readonly ended: Promise<void>;

  private readonly pool: Pool;
  private readonly store: Store;
  private readonly clock: Clock;
  private readonly log: Logger;
  private readonly time: PoolTime;
  private readonly changeLog: ChangeLog;
  private readonly placement: PlacementPlanner;
  private readonly listeners = new Set<(batch: DurableBatch) => void>();
  /** In the order of their revisions. */
  private waiters: Waiter[] = [];
  private isFlushPlanned = false;
  private isAnchored = false;
  private committing: Promise<void> | undefined;
  private state: "running" | "closing" | "closed" | "failed" = "running";
  private tick: { readonly atMs: number; readonly timer: Cancellable } | undefined;
  private readonly settle: { readonly resolve: () => void; readonly reject: (error: unknown) => void };

  /** Loads the pool from the store. Rejects with a `StoreError`. */
  static async open(options: EngineOptions): Promise<Engine> {
    const contents = await options.store.load();
    const { pool, newestMs, timeAnchor: anchor } = decodePool(contents);
    await options.inspect?.(pool);
    const time = new PoolTime(options.clock, { newestMs, anchor, boot: options.boot });
    const aheadMs = Math.round(time.wallAheadMs());
    if (Math.abs(aheadMs) > clockToleranceMs) {
      options.log.warn({ ahead_ms: aheadMs }, "the machine's clock was set; the pool's time goes on as it was");
    }
    return new Engine(options, pool, time);
  }

  private constructor({ store, clock, log }: EngineOptions, pool: Pool, time: PoolTime) {
    this.store = store;
    this.clock = clock;
    this.log = log;
    this.pool = pool;
    this.time = time;
    this.placement = new PlacementPlanner(pool);
    this.changeLog = new ChangeLog(pool.revision);
    const ended = Promise.withResolvers<void>();
    this.ended = ended.promise;
    // Whoever waits for the end hears of it; that nobody may be waiting is no second failure.
    this.ended.catch(() => undefined);
    this.settle = ended;
    this.awaitHosts();
    this.planFlush();
  }

  nowMs(): number {
    return this.time.nowMs();
  }

  async submit<E extends PoolEvent>(event: E): Promise<EventReply<E>> {
    this.checkRunning();
    let reply: EventReply<E>;
    try {
      // What waits and fits goes before a batch that looks for room.
      if (event.type === "vm-batch-create" && event.fit !== "wait") this.plan();
      reply = applyEvent(this.pool, event, this.nowMs());
    } catch (error) {
      if (!(error instanceof MeridianError)) {
        this.fail(error);
        throw endedEarly();
      }
      // A refusal too may tell of what is not durable yet: that a name is taken, for one.
      await this.untilDurable(this.pool.revision);
      throw error;
    }
    this.planFlush();
    await this.untilDurable(this.pool.revision);
    return reply;
  }

  async read<T>(read: (view: PoolView) => T): Promise<T> {
    this.checkRunning();
    try {
      return read(this.pool);
    } finally {
      // What it throws waits as well: that something is gone, for one.
      await this.untilDurable(this.pool.revision);
    }
  }

  follow(fromRevision: number, signal: AbortSignal): AsyncIterable<DurableBatch> {
    return this.changeLog.follow(fromRevision, signal);
  }

  onDurable(listener: (batch: DurableBatch) => void): { cancel(): void } {
    this.listeners.add(listener);
    return { cancel: () => this.listeners.delete(listener) };
  }

  /** Makes durable what has been applied, and ends. The store stays open. */
  async close(): Promise<void> {
    if (this.state !== "running") return this.ended.catch(() => undefined);
    this.state = "closing";
    this.tick?.timer.cancel();
    // Each commit ends with the next one, as long as something has been applied; planning more is left to the next start.
    this.flush();
    while (this.committing !== undefined) await this.committing;
    if (this.hasFailed()) return;
    this.state = "closed";
    this.changeLog.close();
    this.settle.resolve();
  }

  /** After a start every host has to be heard again before it can be called silent. */
  private awaitHosts(): void {
    const silentAtMs = this.nowMs() + this.pool.settings.hosts.startGraceMs;
    for (const host of this.pool.hosts.values()) {
      if (host.state !== "READY" && host.state !== "DISCONNECTED") continue;
      this.pool.setContact(host.id, {
        isConnected: false,
        sessionId: "",
        heardAtMs: 0,
        silentAtMs,
        heartbeatPeriodMs: heartbeatPeriodMs(this.pool.hosts.size),
        inUse: { cpuCount: 0, memoryMib: 0, diskMib: 0 },
        diskFreeMib: 0,
        diskTotalMib: 0,
        macosGuests: 0,
      });
    }
  }

  private checkRunning(): void {
    if (this.state === "running") return;
    throw new MeridianError("SERVER_NOT_SERVING", "the server is stopping; try again, or ask another one", {
      retryAfterMs: 1000,
    });
  }

  private hasFailed(): boolean {
    return this.state === "failed";
  }

  private untilDurable(revision: number): Promise<void> {
    if (revision <= this.changeLog.revision) return Promise.resolve();
    if (this.hasFailed()) return Promise.reject(endedEarly());
    return new Promise((resolve, reject) => {
      this.waiters.push({ revision, resolve, reject });
    });
  }

  /** Lets the planners and the store have their turn once the events that are at hand have been applied. */
  private planFlush(): void {
    if (this.isFlushPlanned || this.hasFailed()) return;
    this.isFlushPlanned = true;
    queueMicrotask(() => {
      this.isFlushPlanned = false;
      this.flush();
    });
  }

  private flush(): void {
    if (this.committing !== undefined || this.state === "failed" || this.state === "closed") return;
    if (this.state === "running") {
      try {
        this.plan();
      } catch (error) {
        this.fail(error);
        return;
      }
      this.planTick();
    }
    const changes = this.pool.seal();
    if (changes.length === 0) return;
    const revision = this.pool.revision;
    this.committing = this.commit({ revision, changes });
  }

  private async commit(batch: DurableBatch): Promise<void> {
    try {
      await this.store.commit(this.withTimeAnchor(encodeBatch(batch.revision, batch.changes)));
      this.isAnchored = true;
    } catch (error) {
      this.committing = undefined;
      this.fail(error);
      return;
    }
    this.committing = undefined;
    this.changeLog.append(batch);
    try {
      for (const listener of this.listeners) listener(batch);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.releaseWaiters(batch.revision);
    this.flush();
  }

  /** The first batch of a run also says what time it is, for the next run. */
  private withTimeAnchor(batch: StoreBatch): StoreBatch {
    const { anchor } = this.time;
    return this.isAnchored || anchor === undefined
      ? batch
      : { ...batch, puts: [...batch.puts, encodeTimeAnchor(anchor)] };
  }

  private releaseWaiters(revision: number): void {
    let count = 0;
    for (const waiter of this.waiters) {
      if (waiter.revision > revision) break;
      waiter.resolve();
      count += 1;
    }
    this.waiters = count === this.waiters.length ? [] : this.waiters.slice(count);
  }

  /** Applies what the planners propose until they propose nothing more, or enough for one batch. */
  private plan(): void {
    const nowMs = this.nowMs();
    let budget = plannedPerBatchMax;
    let purges = 0;
    for (const id of this.pool.dirtyHosts) {
      // What is left of them comes after this batch.
      if (purges >= purgesPerBatchMax) break;
      this.pool.dirtyHosts.delete(id);
      const host = this.pool.hosts.get(id);
      if (host === undefined) continue;
      for (const decision of planDrain(this.pool, host, nowMs)) applyEvent(this.pool, decision, nowMs);
      for (const decision of planRemovals(host, nowMs)) applyEvent(this.pool, decision, nowMs);
      const purge = planPurges(this.pool, this.pool.hosts.get(id) ?? host, nowMs);
      if (purge !== undefined) {
        applyEvent(this.pool, purge, nowMs);
        purges += 1;
      }
      for (const decision of planProbe(this.pool, host)) applyEvent(this.pool, decision, nowMs);
    }
    if (this.pool.dirtyHosts.size > 0) this.planRest();
    this.planPrefetches(nowMs);
    for (;;) {
      for (const id of this.pool.dirtyVms) {
        if (budget === 0) return this.planRest();
        budget -= 1;
        this.pool.dirtyVms.delete(id);
        const vm = this.pool.vms.get(id);
        const decision =
          vm === undefined
            ? undefined
            : (planRevocation(this.pool, vm) ?? planNotice(this.pool, vm) ?? planVmStep(vm, nowMs));
        if (decision !== undefined) applyEvent(this.pool, decision, nowMs);
      }
      const placement = this.placement.next(nowMs);
      if (placement === undefined) return;
      if (budget === 0) return this.planRest();
      budget -= 1;
      // What was chosen a moment ago still holds: nothing happened in between.
      const holds = applyEvent(this.pool, placement, nowMs);
      assert(holds, `what was planned did not hold: ${JSON.stringify(placement)}`);
    }
  }

  private planPrefetches(nowMs: number): void {
    if (!this.pool.imageErrands.havePrefetchesMoved) return;
    for (const decision of planPrefetches(this.pool, nowMs)) applyEvent(this.pool, decision, nowMs);
    // What was done above moved them as well, and nothing is left to do.
    this.pool.imageErrands.havePrefetchesMoved = false;
  }

  /** There is more to plan: it comes after this batch, and right away if nothing has to be synced. */
  private planRest(): void {
    this.planFlush();
  }

  /** Wakes the engine when the next thing is due. */
  private planTick(): void {
    const dueMs = this.pool.deadlines.nextMs;
    if (dueMs === undefined || this.state !== "running") return;
    if (this.tick !== undefined && this.tick.atMs <= dueMs) return;
    this.tick?.timer.cancel();
    const timer = this.clock.after(Math.max(tickSpacingMs, dueMs - this.nowMs()), () => {
      this.tick = undefined;
      if (this.state === "running") this.applyTick();
    });
    this.tick = { atMs: dueMs, timer };
  }

  private applyTick(): void {
    try {
      applyEvent(this.pool, { type: "tick" }, this.nowMs());
    } catch (error) {
      this.fail(error);
      return;
    }
    this.planFlush();
    this.planTick();
  }

  /** The last word: nothing more is answered, and whoever runs the engine ends the process. */
  private fail(error: unknown): void {
    if (this.hasFailed() || this.state === "closed") return;
    this.state = "failed";
    this.log.fatal({ err: error, revision: this.changeLog.revision }, "engine ended");
    this.tick?.timer.cancel();
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter.reject(endedEarly());
    this.changeLog.close();
    this.settle.reject(error);
  }
}

function endedEarly(): MeridianError {
  const message = "the server ended before the change was stored; ask again when it is back";
  return new MeridianError("SERVER_NOT_SERVING", message, { retryAfterMs: 1000 });
}
