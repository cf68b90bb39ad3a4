/** What goes wrong between an agent and the server. */
import { type Fault, lasting } from "./fault.ts";

export const linkFaults = {
  "link cut": ({ network }, host) => {
    network.cut(host.name);
    return true;
  },
  "link stalled": (world, host, random) => {
    const link = world.network.link(host.name);
    const roll = random.fraction();
    link.isUpStalled = roll < 0.7;
    link.isDownStalled = roll > 0.3;
    const ways = `${link.isUpStalled ? " up" : ""}${link.isDownStalled ? " down" : ""}`;
    world.history.note(world.scheduler.nowMs, `${host.name}: link stalled${ways}`);
    const spanMs = random.chance(0.1) ? random.between(60_000, 400_000) : random.between(500, 40_000);
    return lasting(world, spanMs, () => world.network.heal(host.name));
  },
  /** Longer than the bound after which a host is lost. */
  "link gone for long": (world, host, random) => {
    const spanMs = world.lostAfterMs + random.between(60_000, 300_000);
    if (!world.holdOn(spanMs + 60_000)) return false;
    const link = world.network.link(host.name);
    link.isUpStalled = true;
    link.isDownStalled = true;
    return lasting(world, spanMs, () => world.network.heal(host.name));
  },
  "link slow": (world, host, random) => {
    world.network.link(host.name).delayMaxMs = random.between(100, 8_000);
    return lasting(world, random.between(5_000, 60_000), () => world.network.heal(host.name));
  },
  /** The agent gives the stream up and dials again, while its first Hello is still on its way. */
  "hello held up": ({ network }, host, random) => {
    network.link(host.name).holdNextMs = random.between(8_000, 25_000);
    network.cut(host.name);
    return true;
  },
  "old command repeated": ({ network }, host) => network.repeatOldCommand(host.name),
} as const satisfies Record<string, Fault>;
