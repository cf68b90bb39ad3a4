/** The quota of a project, as placement asks for it and tells of it. */

import { isPromised } from "../pool/preemption.ts";
import { type BrokenBound, brokenBound, roomIn } from "../pool/quota.ts";
import type { ShapeSize } from "../pool/shape.ts";
import type { PlacementView } from "../pool/view.ts";
import type { VmRecord } from "../pool/vm.ts";
import { describeMib } from "./size.ts";

/**
 * Why the project may not have one more VM of the shape now, in words; nothing if it may.
 * @param vm the one that is to be placed: what is promised to it counts already, and not twice.
 */
export function quotaRefusal(
  view: PlacementView,
  project: string,
  shape: ShapeSize,
  vm?: VmRecord,
): string | undefined {
  const quota = view.projects.get(project)?.spec.quota;
  if (quota === undefined) return undefined;
  let held = view.projectLedger(project);
  if (vm !== undefined && isPromised(vm)) {
    held = held.copy();
    held.add(vm, -1);
  }
  const broken = brokenBound(quota, held, shape);
  return broken && `project ${project} has ${describeBound(broken)}`;
}

/** How many more VMs of the shape the project may have now. */
export function quotaRoom(view: PlacementView, project: string, shape: ShapeSize): number {
  const quota = view.projects.get(project)?.spec.quota;
  return quota === undefined ? Number.POSITIVE_INFINITY : roomIn(quota, view.projectLedger(project), shape);
}

function describeBound({ bound, held, most, needed }: BrokenBound): string {
  switch (bound) {
    case "vms":
      return `${held} of ${most} VMs`;
    case "macosSlots":
      return `${held} of ${most} macOS guests`;
    case "cpuCount":
      return `${held} of ${most} CPUs, and ${needed} are needed`;
    case "memoryMib":
    case "diskMib": {
      const what = bound === "memoryMib" ? "memory" : "disk";
      return `${describeMib(held)} of ${describeMib(most)} of ${what}, and ${describeMib(needed)} are needed`;
    }
    default:
      return bound satisfies never;
  }
}
