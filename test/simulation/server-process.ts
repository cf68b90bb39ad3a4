/**
 * The server of a run: the real engine and the real sessions on a disk that outlives them. It can be ended at any moment,
 * also in the middle of a commit, and starts again with what was durable.
 */

import { Engine } from "../../server/engine/engine.ts";
import type { EngineApi } from "../../server/engine/engine-api.ts";
import type { DurableBatch } from "../../server/pool/changes.ts";
import type { PoolView } from "../../server/pool/view.ts";
import { createSessions } from "../../server/sessions/sessions.ts";
import { MemoryDisk, MemoryStore } from "../../server/storage/memory-store.ts";
import { type Store, StoreError } from "../../server/storage/store.ts";
import { sleep } from "../../shared/clock.ts";
import type { IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { Random } from "../../simulator/random.ts";
import { openTestCredentials } from "../support/secrets/test-secrets.ts";
import { Life, type Machine } from "./life.ts";
import type { Mutant } from "./mutant.ts";
import type { Network } from "./network.ts";
import type { Scheduler } from "./scheduler.ts";

export interface ServerProcessOptions {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Logger;
  readonly mutant: Mutant;
  readonly note: (text: string) => void;
  readonly onStarted: (durableRevision: number, engine: EngineApi) => void;
  readonly onBatch: (batch: DurableBatch) => void;
  /** The engine ended because of a mistake of its own, and not because of the disk. */
  readonly onMistake: (error: unknown) => void;
}

/** What is to go wrong with the next commit. */
export type DiskFault = "crash before durable" | "crash after durable" | "error before durable" | "error after durable";

/** Within this something is committed, in ms: agents come back. */
const steadyMs = 10_000;

interface Running {
  readonly life: Life;
  readonly engine: EngineApi;
  readonly view: PoolView;
}

export class ServerProcess {
  readonly machine: Machine = { wallOffsetMs: 0 };
  readonly disk = new MemoryDisk();
  /** Happens to the next commit. */
  diskFault: DiskFault | undefined;
  /** The longest time that a commit takes, in ms. */
  commitMaxMs = 2;
  readonly #options: ServerProcessOptions;
  #bootCount = 1;
  #bootedMs = 0;
  #isJustBooted = false;
  #startedMs = 0;
  #running: Running | undefined;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
  }

  /** Whether it has been up for long enough to have said what time it is, for its next run. */
  get isSteady(): boolean {
    return this.#running !== undefined && this.#options.scheduler.nowMs - this.#startedMs > steadyMs;
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  /** The engine as clients reach it; nothing while the server is down. */
  get engine(): EngineApi | undefined {
    return this.#running?.engine;
  }

  /** The pool in memory, durable or not; nothing while the server is down. */
  get view(): PoolView | undefined {
    return this.#running?.view;
  }

  /** Whether this is the server that is up now, and not one before. */
  isCurrent(engine: EngineApi): boolean {
    return this.#running?.engine === engine;
  }

  async start(): Promise<void> {
    const { scheduler, network, ids, log, mutant, note, onBatch, onMistake, onStarted } = this.#options;
    if (this.#isJustBooted) this.machine.wallOffsetMs = 0;
    this.#isJustBooted = false;
    const life = new Life(scheduler, this.machine);
    const store = mutant.store(this.#openDisk(life), { life, disk: this.disk });
    const { clock } = life;
    const boot = { bootId: `server-boot-${this.#bootCount}`, uptimeMs: () => scheduler.nowMs - this.#bootedMs };
    const opened = await Engine.open({ store, clock, boot, log });
    opened.ended.catch((error: unknown) => {
      if (life.isOver) return;
      if (!(error instanceof StoreError)) onMistake(error);
      note("the server ended by itself");
      this.crash();
    });
    const engine = mutant.engine(opened);
    const view = viewOf(opened);
    const sessions = createSessions({
      engine: mutant.engineOfSessions(engine),
      ids,
      clock,
      log,
      serverVersion: "simulated",
      openCredentials: openTestCredentials,
    });
    opened.onDurable((batch) => life.do(() => onBatch(batch)));
    this.#running = { life, engine, view };
    network.listener = {
      life,
      accept: (call) => sessions.service.implementation.connect(call.asAgentCall()),
    };
    this.#startedMs = scheduler.nowMs;
    onStarted(this.disk.contents().revision, engine);
    note(`server started at revision ${view.revision}`);
  }

  /** `kill -9`, or the machine lost its power: nothing is said to anybody. */
  crash(forMs?: number): void {
    if (this.#running === undefined) return;
    this.#running.life.end();
    this.#running = undefined;
    const { network, note, random, scheduler } = this.#options;
    network.listener = undefined;
    network.cutAll();
    const usualMs = random.chance(0.1) ? random.between(30_000, 300_000) : random.between(10, 5_000);
    const downMs = forMs ?? usualMs;
    note(`server crashed for ${Math.round(downMs)} ms`);
    scheduler.after(downMs, () => void this.start());
  }

  /** The machine starts anew, and comes back with its clock set right. */
  reboot(): void {
    this.crash();
    this.#isJustBooted = true;
    this.#bootCount += 1;
    this.#bootedMs = this.#options.scheduler.nowMs;
  }

  #openDisk(life: Life): Store {
    const { random } = this.#options;
    const store = new MemoryStore(this.disk);
    store.faults = {
      beforeDurable: async () => {
        await sleep(life.clock, random.between(0.05, this.commitMaxMs));
        await this.#strike("before durable", life);
      },
      afterDurable: async () => {
        await this.#strike("after durable", life);
        await sleep(life.clock, 0.01);
      },
    };
    return store;
  }

  async #strike(moment: "before durable" | "after durable", life: Life): Promise<void> {
    const fault = this.diskFault;
    if (fault === undefined || !fault.endsWith(moment)) return;
    this.diskFault = undefined;
    this.#options.note(`disk: ${fault}`);
    if (fault.startsWith("error")) throw new StoreError("full", "no room on the simulated disk");
    this.crash();
    // Nothing follows for a process that is over.
    await life.outcome(Promise.resolve());
  }
}

/** The engine shows its pool only for a moment; the rules look at it again and again, between two steps of the run. */
function viewOf(engine: EngineApi): PoolView {
  let view: PoolView | undefined;
  engine
    .read((shown) => {
      view = shown;
    })
    // It has been shown; whether what is in it becomes durable is another matter.
    .catch(() => undefined);
  if (view === undefined) throw new Error("the engine showed nothing");
  return view;
}
