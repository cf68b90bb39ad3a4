/** Room that is kept for a VM that waits, and given back. */
import { candidateOf } from "../placement/filters.ts";
import { couldTake } from "../placement/reserve.ts";
import type { VmReserved } from "../pool/events/decisions.ts";
import type { Pool } from "../pool/pool.ts";
import { reservationOf } from "../pool/reservation.ts";
import { shapeOf } from "../pool/shape.ts";
import { changeVm } from "./change-vm.ts";

export function applyVmReserved(pool: Pool, event: VmReserved, timeMs: number): boolean {
  const vm = pool.vms.get(event.id);
  if (vm === undefined || !pool.waiting.has(vm.id)) return false;
  if (event.host === undefined) {
    if (reservationOf(vm) === undefined) return false;
    changeVm(pool, vm, timeMs, { reservation: undefined });
    return true;
  }
  const host = pool.hosts.get(event.host);
  if (host === undefined || pool.reservations.has(host.id) || reservationOf(vm) !== undefined) return false;
  if (!couldTake(candidateOf(pool, host), shapeOf(vm))) return false;
  changeVm(pool, vm, timeMs, { reservation: { host: host.id, sinceMs: timeMs } });
  return true;
}
