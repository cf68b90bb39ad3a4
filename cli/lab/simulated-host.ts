/**
 * A simulated host: a simulated Mac, and a real agent that dials a server for it. `simulate`, the demo and the tests put
 * their pools together from these; nothing else knows both sides.
 */
import { type Agent, type AgentOptions, startAgent } from "../../agent/agent.ts";
import { enrol } from "../../agent/identity/enrol.ts";
import { createVolatileIdentityStore } from "../../agent/identity/identity.ts";
import type { ParallelsApi } from "../../agent/parallels/api.ts";
import { createHttpParallelsApi } from "../../agent/parallels/http-api.ts";
import type { AgentTuning } from "../../agent/tuning.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { JoinTokenContent } from "../../shared/tls/join-token.ts";
import { createTableGuests } from "../../simulator/guest/command-table.ts";
import { createInMemoryApi } from "../../simulator/in-memory-api.ts";
import { SimulatedMac } from "../../simulator/mac.ts";
import { createRandom } from "../../simulator/random.ts";
import { type RunningMac, type SimulatedMacOptions, startSimulatedMac } from "../../simulator/simulated-mac.ts";

export interface SimulatedHostOptions {
  /** The servers' agent addresses, each as "host:port". */
  readonly servers: readonly string[];
  readonly hostId: string;
  /** Lets the host into the pool. Absent: plain text, and nothing to prove. */
  readonly joinToken?: JoinTokenContent | undefined;
  readonly mac: SimulatedMacOptions;
  /** Leave HTTP out: the agent speaks to the model directly. */
  readonly inMemory?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly agentVersion: string;
  /** For the agent's jitter. */
  readonly random: () => number;
  /** Figures of the agent's that are not the defaults. */
  readonly tuning?: Partial<AgentTuning>;
}

export interface SimulatedHost {
  readonly hostId: string;
  readonly mac: SimulatedMac;
  readonly agent: Agent;
  /** The local API's address; empty when HTTP is left out. */
  readonly url: string;
  /** The Mac's service, with its knobs; nothing when HTTP is left out. */
  readonly service: RunningMac | undefined;
  /** Ends the agent and the Mac with its guests. */
  close(): Promise<void>;
}

export async function startSimulatedHost(options: SimulatedHostOptions): Promise<SimulatedHost> {
  const identity = await enrolled(options);
  const { mac, service, parallels, closeMac } = await startMac(options);
  const agent = startAgent({
    servers: options.servers,
    ...identity,
    hostId: options.hostId,
    parallels,
    log: options.log.child({ host_id: options.hostId }),
    agentVersion: options.agentVersion,
    random: options.random,
    // Each simulated Mac has booted once, when it was made.
    bootId: `${options.hostId}-boot`,
    ...(options.labels === undefined ? {} : { labels: options.labels }),
    ...(options.tuning === undefined ? {} : { tuning: options.tuning }),
  });
  return {
    hostId: options.hostId,
    mac,
    agent,
    url: service?.url ?? "",
    service,
    async close() {
      await agent.close();
      await closeMac();
    },
  };
}

/** A simulated Mac is gone with its process, and so is who it was. */
async function enrolled({
  joinToken: token,
  hostId,
  servers,
  log,
  random,
}: SimulatedHostOptions): Promise<Pick<AgentOptions, "identity">> {
  if (token === undefined) return {};
  const store = createVolatileIdentityStore();
  const { signal } = new AbortController();
  const identity = await enrol({ token, hostId, servers, store, clock: systemClock, random, log, signal });
  return { identity: { identity, store } };
}

/** Jitter for an agent that a seed repeats. */
export function createJitter(seed: number): () => number {
  const random = createRandom(seed);
  return () => random.fraction();
}

interface StartedMac {
  readonly mac: SimulatedMac;
  readonly service: RunningMac | undefined;
  readonly parallels: ParallelsApi;
  readonly closeMac: () => Promise<void>;
}

async function startMac({ mac: options, inMemory = false, log }: SimulatedHostOptions): Promise<StartedMac> {
  if (inMemory) {
    const mac = new SimulatedMac(options, systemClock, createTableGuests(systemClock));
    return { mac, service: undefined, parallels: createInMemoryApi(mac), closeMac: () => mac.close() };
  }
  const running = await startSimulatedMac(options);
  const parallels = createHttpParallelsApi({ baseUrl: running.url, credentials: { apiKey: running.apiKey }, log });
  return { mac: running.mac, service: running, parallels, closeMac: () => running.close() };
}
