/** What the parts of one simulated Mac share. */
import type { Clock } from "../shared/clock.ts";
import type { Faults } from "./faults.ts";
import type { GuestWorld } from "./guest/guest-world.ts";
import type { ImageCache } from "./image-cache.ts";
import type { Jobs } from "./jobs.ts";
import type { MacEvents } from "./mac-events.ts";
import type { MacFacts } from "./mac-facts.ts";
import type { Random } from "./random.ts";
import { prlctlFailed } from "./service-error.ts";
import type { VmShelf } from "./vm-shelf.ts";

export interface MacContext {
  readonly facts: MacFacts;
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  readonly events: MacEvents;
  readonly vms: VmShelf;
  readonly cache: ImageCache;
  readonly jobs: Jobs;
  readonly guests: GuestWorld;
  readonly condition: MacCondition;
}

/** What changes about the Mac itself. */
export interface MacCondition {
  /** In the words of Parallels Desktop: "valid", "expired", … */
  licence: string;
  /** What macOS and its people take of the disk. */
  diskUsedMib: number;
  /** Counts the starts of the service; work of an earlier one is dropped. */
  serviceStarts: number;
}

/** Free on the Mac's one disk: VMs count with their whole size, since they may fill it. */
export function freeDiskMib(context: MacContext): number {
  let usedMib = context.condition.diskUsedMib + context.cache.totalMib;
  for (const vm of context.vms) usedMib += vm.diskMib;
  return Math.max(0, context.facts.diskMib - usedMib);
}

/** @throws ServiceError if so much is not free. */
export function requireDisk(context: MacContext, neededMib: number): void {
  if (freeDiskMib(context) >= neededMib) return;
  throw prlctlFailed(
    "Unable to complete the operation. There is not enough disk space: no space left on device. Free up some space and try again.",
    "disk-full",
  );
}
