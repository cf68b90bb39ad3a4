/** What goes wrong in a pool, one thing at a time: each fault strikes, lasts, and is taken back. */
import type { Random } from "../../../simulator/random.ts";
import type { LinkFault } from "../../support/e2e/tcp-proxy.ts";
import { pause } from "../pause.ts";
import type { ChaosHost } from "./chaos-host.ts";
import type { ChaosServer } from "./chaos-server.ts";
import { nextVmIn, phases } from "./phase.ts";
import { pickOne } from "./pick-one.ts";

/** What a fault chooses by, and what ends it early. */
export interface Chance {
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Resolves when all is as before, with what went wrong, in words that say how often it did when they are counted. */
export type Fault<Target> = (target: Target, chance: Chance) => Promise<string>;

/** From and to, in ms. */
type Range = readonly [leastMs: number, mostMs: number];

/** How long a killer waits for a VM in the phase that it is after. */
const phaseBoundMs = 10_000;

const durations = {
  agentAway: [0, 3_000],
  agentFrozen: [500, 8_000],
  serverFrozen: [500, 4_000],
  link: [500, 8_000],
  allLinks: [500, 5_000],
  api: [500, 5_000],
  /** Longer than `lostAfterMs` and the silence before it. */
  hostLost: [35_000, 45_000],
} as const satisfies Record<string, Range>;

const linkFaults: readonly LinkFault[] = ["cut", "stall", "stall to-server", "stall to-agent", "delay"];

export const hostFaults = {
  async agentKilled(host, chance) {
    const moment = await chooseMoment([host], chance);
    await host.killAgent();
    await lasting(durations.agentAway, chance);
    host.startAgent();
    return `agent killed ${moment}`;
  },
  async agentFrozen(host, chance) {
    host.freezeAgent();
    await lasting(durations.agentFrozen, chance);
    host.thawAgent();
    return "agent frozen";
  },
  async linkBroken(host, chance) {
    const fault = pickOne(linkFaults, chance.random);
    host.link.breakLink(fault);
    await lasting(durations.link, chance);
    host.link.heal();
    return `link: ${fault}`;
  },
  async apiAway(host, chance) {
    await host.service.goDown();
    await lasting(durations.api, chance);
    await host.service.comeBack();
    return "local API away";
  },
  async apiAnew(host, chance) {
    const isForgotten = chance.random.chance(0.5);
    await host.service.restart(isForgotten ? "forgotten" : "failed");
    return "local API started anew";
  },
  async apiSilent(host, chance) {
    const { faults } = host.mac;
    faults.areEventsSilent = true;
    await lasting(durations.api, chance);
    faults.areEventsSilent = false;
    return "local API without events";
  },
  async hostLost(host, chance) {
    host.link.breakLink("cut");
    await lasting(durations.hostLost, chance);
    host.link.heal();
    return "host cut off until it is lost";
  },
} as const satisfies Readonly<Record<string, Fault<ChaosHost>>>;

export const serverFaults = {
  async serverKilled({ server, hosts }, chance) {
    const moment = await chooseMoment(hosts, chance);
    await server.killAndRestart();
    return `server killed ${moment}`;
  },
  async serverFrozen({ server }, chance) {
    server.freeze();
    await lasting(durations.serverFrozen, chance);
    server.thaw();
    return "server frozen";
  },
  async allLinksCut({ hosts }, chance) {
    for (const { link } of hosts) link.breakLink("cut");
    await lasting(durations.allLinks, chance);
    for (const { link } of hosts) link.heal();
    return "all links cut";
  },
} as const satisfies Readonly<
  Record<string, Fault<{ readonly server: ChaosServer; readonly hosts: readonly ChaosHost[] }>>
>;

/** Comes back at the moment to kill at: when a VM comes into some phase of its life, or whenever it is. */
async function chooseMoment(hosts: readonly ChaosHost[], chance: Chance): Promise<string> {
  const phase = pickOne([...phases, "any"] as const, chance.random);
  if (phase === "any") {
    await lasting([0, 1_000], chance);
    return "at any moment";
  }
  const isMet = await nextVmIn(phase, {
    macs: hosts.map(({ mac }) => mac),
    boundMs: phaseBoundMs,
    signal: chance.signal,
  });
  return isMet ? `as a VM is ${phase}` : "at any moment";
}

async function lasting([leastMs, mostMs]: Range, { random, signal }: Chance): Promise<void> {
  await pause(random.between(leastMs, mostMs), signal);
}
