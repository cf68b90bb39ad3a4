import type { Random } from "../../simulator/random.ts";
import type { HostProcess } from "./host-process.ts";
import type { World } from "./world.ts";

/** Brings a fault about; false if there was nothing that it could happen to. */
export type Fault = (world: World, host: HostProcess, random: Random) => boolean;

export const dayMs = 24 * 60 * 60 * 1000;

/** Something that lasts; `end` is called when it is over. */
export function lasting(world: World, spanMs: number, end: () => void): boolean {
  world.scheduler.after(spanMs, end);
  return true;
}
