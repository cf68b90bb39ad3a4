/** What goes wrong in a run, by kind: when, where and for how long comes from the seed. */
import type { Random } from "../../simulator/random.ts";
import { linkFaults } from "./link-faults.ts";
import { macFaults } from "./mac-faults.ts";
import { pick } from "./pick.ts";
import { serverFaults } from "./server-faults.ts";
import type { World } from "./world.ts";

const faults = { ...serverFaults, ...linkFaults, ...macFaults };

export type FaultKind = keyof typeof faults;

/** How likely each is, compared with the others. */
const weights: Readonly<Record<FaultKind, number>> = {
  "server crash": 6,
  "server gone for long": 1,
  "server's machine reboots": 1,
  "disk fault": 7,
  "slow disk": 4,
  "server's clock set": 2,
  "link cut": 10,
  "link stalled": 8,
  "link gone for long": 1,
  "link slow": 6,
  "hello held up": 4,
  "old command repeated": 10,
  "agent crash": 8,
  "agent upgrade": 3,
  "mac reboot": 2,
  "mac cloned": 2,
  "verb slow": 5,
  "verb failing": 6,
  "verb hanging": 2,
  "events silent": 3,
  "service restart": 3,
  "service down": 3,
  "vm stopped by hand": 3,
  "vm started by hand": 1,
  "vm deleted by hand": 2,
  "vm made by hand": 5,
  "vm of another pool": 1,
  "journal full": 2,
  "mac's clock set": 2,
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
    this.#world.history.note(this.#world.scheduler.nowMs, `fault: ${kind} (${host.name})`);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  /** Everything works again from now on; what was broken comes back by itself. */
  stop(): void {
    const { hosts, network, server } = this.#world;
    server.diskFault = undefined;
    server.commitMaxMs = 2;
    for (const host of hosts) {
      host.crashAtCall = undefined;
      host.endFaults();
      host.journalDisk.isFull = false;
      network.heal(host.name);
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
