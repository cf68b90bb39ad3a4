/** What goes wrong on a Mac: its agent, Parallels Desktop, its disk and clock, and people. */
import { hostVmName, parseHostVmName } from "../../shared/ids.ts";
import type { Verb } from "../../simulator/delays.ts";
import type { Random } from "../../simulator/random.ts";
import type { Vm } from "../../simulator/vm.ts";
import { dayMs, type Fault, lasting } from "./fault.ts";
import type { HostProcess } from "./host-process.ts";
import { pick } from "./pick.ts";
import type { Rules } from "./rules.ts";
import type { World } from "./world.ts";

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

export const macFaults = {
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
  "mac cloned": (world, host, random) => world.cloneMac(host, random.between(10_000, 120_000)),
  "verb slow": (world, host, random) => {
    const verb = pick(random, slowVerbs) ?? "list";
    host.mac.faults.slow(verb, random.between(1_000, 40_000));
    return lastingTrouble(world, host, random.between(5_000, 60_000), () => host.endFaults(verb));
  },
  "verb failing": (world, host, random) => {
    const verb = pick(random, verbs) ?? "list";
    host.mac.faults.fail(verb, { rate: random.between(0.3, 1) });
    return lastingTrouble(world, host, random.between(2_000, 60_000), () => host.endFaults(verb));
  },
  "verb hanging": (world, host, random) => {
    const verb = pick(random, slowVerbs) ?? "list";
    host.hang(verb);
    return lastingTrouble(world, host, random.between(2_000, 240_000), () => host.endFaults(verb));
  },
  "events silent": (world, host, random) => {
    host.mac.faults.areEventsSilent = true;
    return lastingTrouble(world, host, random.between(2_000, 120_000), () => {
      host.mac.faults.areEventsSilent = false;
    });
  },
  "service restart": (_world, host, random) => {
    host.beginTrouble()();
    host.mac.restartService(random.chance(0.5) ? "forgotten" : "failed");
    return true;
  },
  "service down": (world, host, random) => {
    host.mac.takeServiceDown();
    return lastingTrouble(world, host, random.between(500, 60_000), () => host.mac.bringServiceUp());
  },
  "vm stopped by hand": (world, host, random) => onPoolVm(world, host, random, (id) => host.mac.person.stopVm(id)),
  "vm started by hand": (world, host, random) =>
    onPoolVm(
      world,
      host,
      random,
      (id) => host.mac.person.startVm(id),
      (vm) => !vm.isMacosGuest,
    ),
  "vm deleted by hand": (world, host, random) => onPoolVm(world, host, random, (id) => host.mac.person.deleteVm(id)),
  "vm made by hand": (_world, host, random) => {
    const names = new Set(host.mac.vms.map(({ name }) => name));
    const name = `private-${Math.floor(random.between(1, 4))}`;
    if (names.has(name)) return false;
    const state = pick(random, ["stopped", "running", "suspended"] as const) ?? "stopped";
    host.mac.person.createVm({ name, os: "ubuntu", cpuCount: 1, memoryMib: 2_048, diskMib: 10_000, state });
    return true;
  },
  "vm of another pool": (world, host, random) => {
    if (host.mac.vms.filter(({ name }) => parseHostVmName(name) !== undefined).length >= 20) return false;
    const name = hostVmName(world.ids.uid(), 1);
    const state = pick(random, ["stopped", "running"] as const) ?? "stopped";
    byHand(world.rules, () => {
      host.mac.person.createVm({ name, os: "ubuntu", cpuCount: 1, memoryMib: 2_048, diskMib: 10_000, state });
    });
    return true;
  },
  "journal full": (world, host, random) => {
    host.journalDisk.isFull = true;
    return lasting(world, random.between(500, 30_000), () => {
      host.journalDisk.isFull = false;
    });
  },
  "mac's clock set": (_world, host, random) => {
    host.hasWallJumped = true;
    host.machine.wallOffsetMs = random.between(-2 * dayMs, 2 * dayMs);
    return true;
  },
} as const satisfies Record<string, Fault>;

function lastingTrouble(world: World, host: HostProcess, spanMs: number, end: () => void): boolean {
  const endTrouble = host.beginTrouble();
  return lasting(world, spanMs, () => {
    end();
    endTrouble();
  });
}

/**
 * A person takes one of the pool's VMs in hand. Of macOS guests none is started: a person may run more of them than the pool
 * may.
 */
function onPoolVm(
  { rules }: World,
  host: HostProcess,
  random: Random,
  act: (vmId: string) => void,
  mayBe: (vm: Vm) => boolean = () => true,
): boolean {
  const vm = pick(
    random,
    host.mac.vms.filter((one) => parseHostVmName(one.name) !== undefined && mayBe(one)),
  );
  if (vm === undefined) return false;
  host.beginTrouble()();
  byHand(rules, () => act(vm.id));
  return true;
}

function byHand({ macs }: Rules, act: () => void): void {
  macs.isByHand = true;
  act();
  macs.isByHand = false;
}
