/**
 * One Mac of a run: a simulated Parallels Desktop, and the real agent, which can be ended at any moment, also between a call
 * of the local API and its answer, and is started again by the system.
 */
import { type Agent, startAgent } from "../../agent/agent.ts";
import { openJournal } from "../../agent/journal/journal.ts";
import type { ParallelsApi } from "../../agent/parallels/api.ts";
import type { IdSource } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { Verb } from "../../simulator/delays.ts";
import { createInMemoryApi } from "../../simulator/in-memory-api.ts";
import { SimulatedMac } from "../../simulator/mac.ts";
import type { MacOptions } from "../../simulator/mac-facts.ts";
import type { Random } from "../../simulator/random.ts";
import { JournalDisk } from "./journal-disk.ts";
import { Life, type Machine } from "./life.ts";
import type { Mutant } from "./mutant.ts";
import type { Network } from "./network.ts";
import { ownParallels } from "./owned-parallels.ts";
import type { Scheduler } from "./scheduler.ts";

export interface HostProcessOptions {
  /** Which Mac it is. */
  readonly name: string;
  /** The host id that its agent was given; a cloned Mac has that of another. */
  readonly id: string;
  readonly mac: MacOptions;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Logger;
  readonly mutant: Mutant;
  readonly note: (text: string) => void;
  readonly onAgentEnded: (mac: HostProcess) => void;
  readonly onReboot: (mac: HostProcess, offMs: number) => void;
}

export class HostProcess {
  readonly name: string;
  readonly id: string;
  readonly mac: SimulatedMac;
  readonly journalDisk: JournalDisk;
  readonly machine: Machine = { wallOffsetMs: 0 };
  /** The agent ends at its next call of the local API: before the call is made, or when its answer is there. */
  crashAtCall: "before" | "after" | undefined;
  /** When the agent was last started anew; nothing as long as its first run lasts. */
  agentRestartedMs: number | undefined;
  /** When calls of the local API that hung went on; none has hung yet: at the beginning. */
  hungUntilMs = 0;
  /** Whether its wall clock was ever set. */
  hasWallJumped = false;
  /** When each VM has appeared, by name. */
  readonly appearedMs = new Map<string, number>();
  readonly #options: HostProcessOptions;
  #running: { readonly agent: Agent; readonly parallels: ParallelsApi } | undefined;
  /** Of the agent's process, which begins before the agent does. */
  #life: Life | undefined;
  #bootCount = 1;
  #bootedMs = 0;
  #isOff = false;
  #isGone = false;
  #troubleCount = 0;
  #troubledMs = 0;
  #endAgentTrouble: (() => void) | undefined;
  readonly #hangingVerbs = new Set<Verb>();

  constructor(options: HostProcessOptions) {
    this.#options = options;
    this.name = options.name;
    this.id = options.id;
    this.journalDisk = new JournalDisk(options.random, () => options.scheduler.nowMs);
    this.mac = new SimulatedMac(options.mac, new Life(options.scheduler, this.machine).clock);
  }

  get hasAgent(): boolean {
    return this.#running !== undefined;
  }

  /** Whether something keeps the agent, or Parallels Desktop, from doing what they should. */
  get isTroubled(): boolean {
    return this.#troubleCount > 0;
  }

  /** The last moment at which that was so. */
  get troubledMs(): number {
    return this.isTroubled ? this.#options.scheduler.nowMs : this.#troubledMs;
  }

  /** Something is in the way from now on, until what this returns is called. */
  beginTrouble(): () => void {
    this.#troubleCount += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#troubledMs = this.#options.scheduler.nowMs;
      this.#troubleCount -= 1;
    };
  }

  /** Calls of the verb hang until its faults are ended. */
  hang(verb: Verb): void {
    this.#hangingVerbs.add(verb);
    this.mac.faults.hang(verb);
  }

  /** Ends the faults of one verb, or of all. */
  endFaults(verb?: Verb): void {
    const ended = verb === undefined ? [...this.#hangingVerbs] : [verb];
    for (const one of ended) if (this.#hangingVerbs.delete(one)) this.hungUntilMs = this.#options.scheduler.nowMs;
    this.mac.faults.clear(verb);
  }

  startAgent(): void {
    if (this.#life !== undefined || this.#isOff || this.#isGone) return;
    const life = new Life(this.#options.scheduler, this.machine);
    this.#life = life;
    if (this.agentRestartedMs !== undefined) this.agentRestartedMs = this.#options.scheduler.nowMs;
    void this.#startAgent(life);
  }

  async #startAgent(life: Life): Promise<void> {
    const { scheduler, network, random, ids, log, mutant, note } = this.#options;
    const storage = mutant.journal(this.journalDisk.open(life), life);
    const journal = await life.outcome(openJournal(storage, { clock: life.clock, log }));
    const owned = ownParallels(mutant.parallels(createInMemoryApi(this.mac)), life, (moment) => this.#atCall(moment));
    const agent = startAgent({
      servers: ["server"],
      hostId: this.id,
      parallels: owned,
      log,
      agentVersion: "simulated",
      clock: life.clock,
      ids,
      random: () => random.fraction(),
      bootId: `${this.name}-boot-${this.#bootCount}`,
      transport: mutant.transport(network.transport(this.name, life)),
      probeTcp: async () => undefined,
      journal,
      uptimeMs: () => scheduler.nowMs - this.#bootedMs,
    });
    this.#running = { agent, parallels: owned };
    this.#endAgentTrouble?.();
    this.#endAgentTrouble = undefined;
    void agent.closed.then(() => {
      if (life.isOver) return;
      note(`${this.name}: the agent ended`);
      this.#leave(life);
    });
    note(`${this.name}: agent started`);
  }

  /** `kill -9`: what Parallels Desktop was asked to do goes on without it. */
  crashAgent(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#options.note(`${this.name}: agent crashed`);
    life.end();
    this.#leave(life);
    this.#options.network.cut(this.name);
  }

  /** An upgrade: it says goodbye. */
  stopAgent(): void {
    void this.#running?.agent.close();
  }

  /** The Mac loses its power: every guest is off, and its service and agent come back after a while. */
  reboot(): void {
    const { note, random, scheduler } = this.#options;
    if (this.#isOff) return;
    note(`${this.name}: the Mac reboots`);
    this.#isOff = true;
    this.crashAgent();
    this.mac.takeServiceDown();
    for (const vm of this.mac.vms) if (vm.isPoweredOn) this.mac.person.stopVm(vm.id);
    this.#bootCount += 1;
    const offMs = random.between(20_000, 120_000);
    scheduler.after(offMs, () => {
      this.#options.onReboot(this, offMs);
      this.#bootedMs = scheduler.nowMs;
      this.mac.restartService();
      this.mac.bringServiceUp();
      this.#isOff = false;
      this.startAgent();
    });
  }

  /** The Mac is taken away for good. */
  unplug(): void {
    this.#isGone = true;
    this.crashAgent();
  }

  #leave(life: Life): void {
    if (this.#life !== life) return;
    this.#endAgentTrouble ??= this.beginTrouble();
    this.#options.onAgentEnded(this);
    const running = this.#running;
    this.#life = undefined;
    this.#running = undefined;
    this.crashAtCall = undefined;
    life.end();
    // The process's sockets to the local service close with it.
    void running?.parallels.close();
    const { random, scheduler } = this.#options;
    this.agentRestartedMs = Number.POSITIVE_INFINITY;
    scheduler.after(random.between(500, 10_000), () => this.startAgent());
  }

  #atCall(moment: "before" | "after"): void {
    if (this.crashAtCall !== moment) return;
    this.crashAtCall = undefined;
    this.crashAgent();
  }
}
