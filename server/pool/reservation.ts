/**
 * Reservations: room that builds up on one host for a VM which needs more than others leave free. The VM's record holds it, so
 * that it survives a restart; it counts as long as the VM waits.
 */
import type { HostId, VmId } from "../../shared/ids.ts";
import { isWaiting } from "./project-ledgers.ts";
import type { Shape } from "./shape.ts";
import type { VmRecord } from "./vm.ts";

/** What a VM that waits has been promised. */
export interface VmReservation {
  readonly host: HostId;
  readonly sinceMs: number;
}

/** What a host keeps. */
export interface HostReservation {
  readonly vm: VmId;
  readonly shape: Shape;
  readonly sinceMs: number;
}

/** The VM's reservation, if it still waits. */
export function reservationOf(vm: VmRecord | undefined): VmReservation | undefined {
  return vm !== undefined && isWaiting(vm) ? vm.reservation : undefined;
}
