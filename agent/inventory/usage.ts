/**
 * What is in use on this Mac, by our own arithmetic: the local service counts only VMs that run, though one that is
 * suspended, paused or on its way may take its share back at any moment.
 */
import type { Amounts } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { ParallelsVm } from "../parallels/api.ts";
import { wholeNumber, wholeNumber32 } from "../wire.ts";

export interface Usage {
  readonly inUse: Amounts;
  /** macOS guests that are not fully stopped. */
  readonly macosGuests: number;
}

/** States in which a VM holds nothing but its files. Every other one counts, also those that are not known here. */
const idleStates: ReadonlySet<string> = new Set(["stopped", "invalid"]);

export function sumUsage(vms: Iterable<ParallelsVm>): Usage {
  let cpuCount = 0;
  let memoryMib = 0;
  let diskMib = 0;
  let macosGuests = 0;
  for (const vm of vms) {
    if (idleStates.has(vm.state)) continue;
    cpuCount += wholeNumber32(vm.cpuCount);
    memoryMib += wholeNumber(vm.memoryMib);
    diskMib += wholeNumber(vm.diskMib);
    if (vm.isMacos) macosGuests += 1;
  }
  return { inUse: { cpuCount: wholeNumber32(cpuCount), memoryMib, diskMib }, macosGuests };
}
