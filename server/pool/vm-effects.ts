/** What a change of a VM's record means for its host. */
import { isBeingMade } from "./ledger.ts";
import type { VmRecord } from "./vm.ts";

/** Whether a change of a VM leaves all as it was that placement sees of its host. */
export function isSameToHost(before: VmRecord | undefined, after: VmRecord | undefined): boolean {
  if (before?.host === undefined && after?.host === undefined) return true;
  return (
    before !== undefined &&
    after !== undefined &&
    before.host === after.host &&
    before.resources === after.resources &&
    before.image === after.image &&
    before.spec.labels === after.spec.labels &&
    isBeingMade(before) === isBeingMade(after)
  );
}

/** Whether a change of a placed VM leaves its host with more room than before. */
export function holdsMore(before: VmRecord, after: VmRecord | undefined): boolean {
  if (after === undefined || after.host !== before.host) return true;
  const wasMade = before.state === "PLACED" || before.state === "CREATING";
  return wasMade && after.state !== "PLACED" && after.state !== "CREATING";
}
