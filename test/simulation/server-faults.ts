/** What goes wrong with the server and its disk. */
import type { Fault } from "./fault.ts";
import { dayMs, lasting } from "./fault.ts";
import { pick } from "./pick.ts";
import type { DiskFault } from "./server-process.ts";

const diskFaults: readonly DiskFault[] = [
  "crash before durable",
  "crash after durable",
  "error before durable",
  "error after durable",
];

export const serverFaults = {
  "server crash": ({ server }) => {
    if (!server.isUp) return false;
    server.crash();
    return true;
  },
  "server's machine reboots": ({ server }) => {
    if (!server.isUp) return false;
    server.reboot();
    return true;
  },
  /** Longer than leases, and than the bound after which hosts would be lost if they were silent. */
  "server gone for long": (world, _host, random) => {
    const { pace, server } = world;
    const downMs = random.between(60_000, 400_000) * Math.min(4, pace);
    if (!server.isUp || !world.holdOn(downMs + 60_000)) return false;
    server.crash(downMs);
    return true;
  },
  "disk fault": ({ server }, _host, random) => {
    server.diskFault = pick(random, diskFaults);
    return true;
  },
  "slow disk": (world, _host, random) => {
    world.server.commitMaxMs = random.between(50, 1_500);
    return lasting(world, random.between(1_000, 20_000), () => {
      world.server.commitMaxMs = 2;
    });
  },
  /** Before the first commit after a start of the machine nothing tells that its clock was set. */
  "server's clock set": ({ server }, _host, random) => {
    if (!server.isSteady) return false;
    server.machine.wallOffsetMs = random.between(-2 * dayMs, 2 * dayMs);
    return true;
  },
} as const satisfies Record<string, Fault>;
