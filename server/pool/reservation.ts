/**
 * Reservations: room that builds up on one host for a VM which needs more than others leave free. The VM's record holds it, so
 * that it survives a restart; it counts as long as the VM waits.
 */
import type { HostId, VmId } from "../../shared/ids.ts";
import { isWaiting } from "./project-ledgers.ts";
import { type Shape, shapeOf } from "./shape.ts";
import type { VmRecord } from "./vm.ts";

/** What a VM that waits has been promised. */
export interface VmReservation {
  readonly host: HostId;
  readonly sinceMs: number;
  /** Others give way for it, and this is when their notices end; absent: it is for those to come that are smaller. */
  readonly noticeEndMs?: number;
}

/** What a host keeps. */
export interface HostReservation {
  readonly vm: VmId;
  readonly shape: Shape;
  readonly sinceMs: number;
  /** Only those that leave now are waited for, and not all that stand there. */
  readonly isByPreemption?: true;
}

/** The VM's reservation, if it still waits. */
export function reservationOf(vm: VmRecord | undefined): VmReservation | undefined {
  return vm !== undefined && isWaiting(vm) ? vm.reservation : undefined;
}

/** What the host keeps for a VM. */
export function hostReservation(vm: VmRecord, { sinceMs, noticeEndMs }: VmReservation): HostReservation {
  const kept = { vm: vm.id, shape: shapeOf(vm), sinceMs };
  return noticeEndMs === undefined ? kept : { ...kept, isByPreemption: true };
}
