/**
 * A VM's place among those that wait. Priority grows while a VM waits: by one step for each `priorityStepMs`. Of two VMs that
 * both wait, the one with the higher grown priority stays so for ever, since both grow alike; so the order needs no clock. It is
 * that of `agedTimeMs`, the creation moved back by what the priority is worth.
 */
import type { VmId } from "../../shared/ids.ts";
import type { VmRecord } from "./vm.ts";

/** The highest priority that a VM can have. */
export const highestPriority = 100;

export interface WaitingVm {
  readonly id: VmId;
  readonly project: string;
  readonly priority: number;
  readonly createTimeMs: number;
  /** When a VM of priority 0 would have been created that has the same grown priority. */
  readonly agedTimeMs: number;
}

export function waitingVm({ id, spec, createTimeMs }: VmRecord, priorityStepMs: number): WaitingVm {
  const { project, priority } = spec;
  return { id, project, priority, createTimeMs, agedTimeMs: createTimeMs - priority * priorityStepMs };
}

/** By grown priority, then by age, then by name. */
export function isBefore(a: WaitingVm, b: WaitingVm): boolean {
  if (a.agedTimeMs !== b.agedTimeMs) return a.agedTimeMs < b.agedTimeMs;
  if (a.createTimeMs !== b.createTimeMs) return a.createTimeMs < b.createTimeMs;
  return a.id < b.id;
}
