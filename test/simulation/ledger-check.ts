/** A host's ledger, counted anew from the records alone. */
import { HostLedger } from "../../server/pool/ledger.ts";
import type { PoolView } from "../../server/pool/view.ts";
import type { HostId } from "../../shared/ids.ts";

/** What the host's ledger should be. */
export function recount(view: PoolView, id: HostId): HostLedger {
  const ledger = new HostLedger();
  ledger.setHost(view.hosts.get(id));
  for (const vm of view.vms.values()) if (vm.host === id) ledger.addVm(vm, 1);
  return ledger;
}

/** How the host's ledger differs from a recount; nothing if it does not. */
export function ledgerDifference(view: PoolView, id: HostId): string | undefined {
  const counted = recount(view, id);
  const ledger = view.ledger(id);
  const fields = ["cpuTaken", "memoryTakenMib", "diskTakenMib", "macosTaken", "creating", "vmCount"] as const;
  const wrong = fields.filter((field) => ledger[field] !== counted[field]);
  return wrong.length === 0
    ? undefined
    : wrong.map((field) => `${field} is ${ledger[field]}, counted ${counted[field]}`).join(", ");
}
