/** Quotas: whether a project may have one more VM. What counts is what its VMs hold, not what they asked for. */
import type { ProjectQuota } from "./project.ts";
import type { ProjectLedger } from "./project-ledgers.ts";
import type { ShapeSize } from "./shape.ts";

/** A bound of a quota that one more VM would break. */
export interface BrokenBound {
  readonly bound: keyof ProjectQuota;
  readonly most: number;
  /** What the project's VMs hold. */
  readonly held: number;
  /** What one more would take. */
  readonly needed: number;
}

/** The first bound that one more VM of the shape would break, or nothing if it may be placed. */
export function brokenBound(quota: ProjectQuota, held: ProjectLedger, shape: ShapeSize): BrokenBound | undefined {
  for (const bound of bounds) {
    const most = quota[bound];
    const needed = neededOf(shape, bound);
    // A VM that needs nothing of it is not held back by a bound that is broken already.
    if (most !== undefined && needed > 0 && held[bound] + needed > most) {
      return { bound, most, held: held[bound], needed };
    }
  }
  return undefined;
}

/** How many more VMs of the shape may be placed. */
export function roomIn(quota: ProjectQuota, held: ProjectLedger, shape: ShapeSize): number {
  const rooms = bounds.map((bound) => {
    const most = quota[bound];
    const needed = neededOf(shape, bound);
    if (most === undefined || needed === 0) return Number.POSITIVE_INFINITY;
    return Math.max(0, Math.floor((most - held[bound]) / needed));
  });
  return Math.min(...rooms);
}

const bounds = [
  "vms",
  "macosSlots",
  "cpuCount",
  "memoryMib",
  "diskMib",
] as const satisfies readonly (keyof ProjectQuota)[];

function neededOf({ resources, isMacos }: ShapeSize, bound: keyof ProjectQuota): number {
  if (bound === "vms") return 1;
  return bound === "macosSlots" ? Number(isMacos) : resources[bound];
}
