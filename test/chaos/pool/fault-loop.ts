/** Lets faults strike, one after the other, until it is ended; then the last ones are taken back. */
import { createRandom, deriveSeed, type Random } from "../../../simulator/random.ts";
import { pause } from "../pause.ts";
import type { ChaosHost } from "./chaos-host.ts";
import type { ChaosServer } from "./chaos-server.ts";
import { type Chance, type Fault, hostFaults, serverFaults } from "./faults.ts";
import { pickOne } from "./pick-one.ts";

export interface FaultLoopOptions {
  readonly server: ChaosServer;
  readonly hosts: readonly ChaosHost[];
  readonly seed: number;
  /** The mean pause between two faults of the server, or of all links, in ms. */
  readonly serverPauseMs: number;
  /** The mean pause between two faults of one host, in ms. */
  readonly hostPauseMs: number;
  /** Whether hosts are cut off until they are lost: that takes most of a minute. */
  readonly losesHosts: boolean;
}

/** How often each strikes, against the others. */
const hostWeights: Readonly<Record<keyof typeof hostFaults, number>> = {
  agentKilled: 8,
  agentFrozen: 3,
  linkBroken: 6,
  apiAway: 2,
  apiAnew: 2,
  apiSilent: 2,
  hostLost: 1,
};
const serverWeights: Readonly<Record<keyof typeof serverFaults, number>> = {
  serverKilled: 4,
  serverFrozen: 1,
  allLinksCut: 1,
};

export class FaultLoop {
  /** How often what went wrong. */
  readonly counts = new Map<string, number>();
  private readonly options: FaultLoopOptions;
  private readonly ending = new AbortController();
  private readonly loops: readonly Promise<void>[];

  /** Begins at once. */
  constructor(options: FaultLoopOptions) {
    this.options = options;
    const { hosts, seed, server } = options;
    this.loops = [
      this.strike(createRandom(deriveSeed(seed, -1)), options.serverPauseMs, (chance) =>
        choose(serverFaults, serverWeights, chance.random)({ server, hosts }, chance),
      ),
      ...hosts.map((host, index) =>
        this.strike(createRandom(deriveSeed(seed, index)), options.hostPauseMs, (chance) =>
          this.chooseHostFault(chance.random)(host, chance),
        ),
      ),
    ];
    for (const loop of this.loops) loop.catch(() => this.ending.abort());
  }

  get count(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Rejects when a fault could not be taken back: a process that does not come up again. */
  get failed(): Promise<unknown> {
    return Promise.all(this.loops).then(() => new Promise(() => undefined));
  }

  /** Resolves when everything is as it was. */
  async end(): Promise<void> {
    this.ending.abort();
    await Promise.all(this.loops);
  }

  private async strike(random: Random, pauseMs: number, fault: (chance: Chance) => Promise<string>): Promise<void> {
    const { signal } = this.ending;
    while (!signal.aborted) {
      await pause(random.between(0, 2 * pauseMs), signal);
      if (signal.aborted) return;
      const what = await fault({ random, signal });
      this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    }
  }

  private chooseHostFault(random: Random): Fault<ChaosHost> {
    const hostLost = this.options.losesHosts ? hostWeights.hostLost : 0;
    return choose(hostFaults, { ...hostWeights, hostLost }, random);
  }
}

function choose<Name extends string, Value>(
  values: Readonly<Record<Name, Value>>,
  weights: Readonly<Record<Name, number>>,
  random: Random,
): Value {
  // The names of a record lose their type in `Object.keys`.
  const names = Object.keys(values) as Name[];
  return values[
    pickOne(
      names.flatMap((name) => Array.from({ length: weights[name] }, () => name)),
      random,
    )
  ];
}
