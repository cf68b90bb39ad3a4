/** What goes wrong in a run, by kind: when, where and for how long comes from the seed. */

import { parseHostVmName } from "../../shared/ids.ts";
import type { Verb } from "../../simulator/delays.ts";
import type { Random } from "../../simulator/random.ts";
import type { HostProcess } from "./host-process.ts";
import { pick } from "./pick.ts";
import type { DiskFault } from "./server-process.ts";
import type { World } from "./world.ts";

/** Brings the fault about; false if there was nothing that it could happen to. */
type Fault = (world: World, host: HostProcess, random: Random) => boolean;

const diskFaults: readonly DiskFault[] = [
  "crash before durable",
  "crash after durable",
  "error before durable",
  "error after durable",
];

const verbs: readonly Verb[] = [
  "start",
  "stop",
  "delete",
  "clone",
  "configure",
  "create",
  "list",
  "execute",
  "download",
  "suspend",
  "resume",
];

/**
 * These can be so slow that nobody waits for their answer. Accepting a create is not among them: the agent takes one without
 * an answer for failed, and what it makes all the same is left to the removal of orphans.
 */
const slowVerbs = verbs.filter((verb) => verb !== "create");

const faults = {
  "server crash": ({ server }) => {
    if (!server.isUp) return false;
    server.crash();
    return true;
  },
  "disk fault": ({ server }, _host, random) => {
    server.diskFault = pick(random, diskFaults);
    return true;
  },
  "slow disk": (world, _host, random) => {
    world.server.commitMaxMs = random.between(50, 1_500);
    later(world, random.between(1_000, 20_000), () => {
      world.server.commitMaxMs = 2;
    });
    return true;
  },
  "agent crash": (_world, host, random) => {
    if (!host.hasAgent) return false;
    if (random.chance(0.3)) host.crashAgent();
    else host.crashAtCall = random.chance(0.5) ? "before" : "after";
    return true;
  },
  "agent upgrade": (_world, host) => {
    if (!host.hasAgent) return false;
    host.stopAgent();
    return true;
  },
  "mac reboot": (_world, host) => {
    host.reboot();
    return true;
  },
  "link cut": ({ network }, host) => {
    network.cut(host.id);
    return true;
  },
  "link stalled": (world, host, random) => {
    const link = world.network.link(host.id);
    const roll = random.fraction();
    link.isUpStalled = roll < 0.7;
    link.isDownStalled = roll > 0.3;
    world.history.note(
      world.scheduler.nowMs,
      `${host.id}: link stalled${link.isUpStalled ? " up" : ""}${link.isDownStalled ? " down" : ""}`,
    );
    const spanMs = random.chance(0.1) ? random.between(60_000, 1_200_000) : random.between(500, 40_000);
    later(world, spanMs, () => world.network.heal(host.id));
    return true;
  },
  "link slow": (world, host, random) => {
    world.network.link(host.id).delayMaxMs = random.between(100, 8_000);
    later(world, random.between(5_000, 60_000), () => world.network.heal(host.id));
    return true;
  },
  "old command repeated": ({ network }, host) => network.repeatOldCommand(host.id),
  "verb slow": (world, host, random) => {
    const verb = pick(random, slowVerbs) ?? "list";
    host.mac.faults.slow(verb, random.between(1_000, 40_000));
    later(world, random.between(5_000, 60_000), () => host.mac.faults.clear(verb));
    return true;
  },
  "verb failing": (world, host, random) => {
    const verb = pick(random, verbs) ?? "list";
    host.mac.faults.fail(verb, { rate: random.between(0.3, 1) });
    later(world, random.between(2_000, 60_000), () => host.mac.faults.clear(verb));
    return true;
  },
  "verb hanging": (world, host, random) => {
    const verb = pick(random, slowVerbs) ?? "list";
    host.mac.faults.hang(verb);
    later(world, random.between(2_000, 240_000), () => host.mac.faults.clear(verb));
    return true;
  },
  "events silent": (world, host, random) => {
    host.mac.faults.areEventsSilent = true;
    later(world, random.between(2_000, 120_000), () => {
      host.mac.faults.areEventsSilent = false;
    });
    return true;
  },
  "service restart": (_world, host, random) => {
    host.mac.restartService(random.chance(0.5) ? "forgotten" : "failed");
    return true;
  },
  "service down": (world, host, random) => {
    host.mac.takeServiceDown();
    later(world, random.between(500, 60_000), () => host.mac.bringServiceUp());
    return true;
  },
  "vm stopped by hand": (world, host, random) => onPoolVm(world, host, random, (name) => host.mac.person.stopVm(name)),
  "vm started by hand": (world, host, random) =>
    onPoolVm(world, host, random, (name) => host.mac.person.startVm(name), false),
  "vm deleted by hand": (world, host, random) =>
    onPoolVm(world, host, random, (name) => host.mac.person.deleteVm(name)),
  "journal full": (world, host, random) => {
    host.journalDisk.isFull = true;
    later(world, random.between(500, 30_000), () => {
      host.journalDisk.isFull = false;
    });
    return true;
  },
  "wall clock jump": (world, host, random) => {
    if (random.chance(0.5)) host.machine.wallOffsetMs = random.between(-2 * dayMs, 2 * dayMs);
    // Forward only a little: a server that starts cannot tell a clock that was set from the time that has passed.
    else world.server.machine.wallOffsetMs = random.between(-2 * dayMs, 10 * 60_000);
    return true;
  },
} as const satisfies Record<string, Fault>;

const dayMs = 24 * 60 * 60 * 1000;

export type FaultKind = keyof typeof faults;

/** How likely each is, compared with the others. */
const weights: Readonly<Record<FaultKind, number>> = {
  "server crash": 6,
  "disk fault": 6,
  "slow disk": 4,
  "agent crash": 8,
  "agent upgrade": 3,
  "mac reboot": 1,
  "link cut": 10,
  "link stalled": 8,
  "link slow": 6,
  "old command repeated": 10,
  "verb slow": 5,
  "verb failing": 6,
  "verb hanging": 2,
  "events silent": 3,
  "service restart": 3,
  "service down": 3,
  "vm stopped by hand": 3,
  "vm started by hand": 1,
  "vm deleted by hand": 2,
  "journal full": 2,
  "wall clock jump": 2,
};

// The keys are those of `faults`, which has all of them.
export const faultKinds = Object.keys(faults) as FaultKind[];
const weightSum = faultKinds.reduce((sum, kind) => sum + weights[kind], 0);

export class Faults {
  /** How many of each kind there were. */
  readonly counts = new Map<FaultKind, number>();
  readonly #world: World;
  readonly #random: Random;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random("faults");
  }

  strike(): void {
    const kind = this.#draw();
    const host = pick(this.#random, this.#world.hosts);
    if (host === undefined || !faults[kind](this.#world, host, this.#random)) return;
    this.#world.history.note(this.#world.scheduler.nowMs, `fault: ${kind} (${host.id})`);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  /** Everything works again from now on; what was broken comes back by itself. */
  stop(): void {
    const { hosts, network, server } = this.#world;
    server.diskFault = undefined;
    server.commitMaxMs = 2;
    for (const host of hosts) {
      host.crashAtCall = undefined;
      host.mac.faults.clear();
      host.journalDisk.isFull = false;
      network.heal(host.id);
      if (host.hasAgent) host.mac.bringServiceUp();
    }
  }

  #draw(): FaultKind {
    let left = this.#random.between(0, weightSum);
    for (const kind of faultKinds) {
      left -= weights[kind];
      if (left < 0) return kind;
    }
    return "link cut";
  }
}

function later(world: World, delayMs: number, action: () => void): void {
  world.scheduler.after(delayMs, action);
}

/** A person takes one of the pool's VMs in hand. A macOS guest is left off: a person may start more than the pool may. */
function onPoolVm(
  world: World,
  host: HostProcess,
  random: Random,
  act: (vmId: string) => void,
  mayBeMacos = true,
): boolean {
  const vms = host.mac.vms.filter((vm) => parseHostVmName(vm.name) !== undefined && (mayBeMacos || !vm.isMacosGuest));
  const vm = pick(random, vms);
  if (vm === undefined) return false;
  world.rules.isByHand = true;
  act(vm.id);
  world.rules.isByHand = false;
  return true;
}
