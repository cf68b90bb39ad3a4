/** What one client of the kill rounds does: makes a VM, changes what it wants of it, deletes it, and begins again. */
import type { AccountedVm } from "../../support/e2e/account.ts";
import type { LoadClient } from "../load-client.ts";

/** Changes of one VM between its create and its delete. */
const wishesMax = 3;
/** A VM in so many outlives the next ones, so that some live through many rounds. */
const keptShare = 0.1;

/**
 * Runs until the signal is aborted, which ends it between two calls. Rejects when it is told something that no client should
 * be told.
 * @param prefix what its VMs are called, before their number.
 */
export async function runLoad(client: LoadClient, prefix: string, signal: AbortSignal): Promise<void> {
  const { random } = client;
  let kept: AccountedVm | undefined;
  for (let number = 1; !signal.aborted; number += 1) {
    const vm = await client.create(`${prefix}-${number}`, { template: "templates/linux" });
    for (let left = Math.floor(random.between(0, wishesMax + 1)); left > 0 && !signal.aborted; left -= 1) {
      await client.wish(vm);
    }
    // One at a time, or the Macs would be full of them.
    const doomed = random.chance(keptShare) ? kept : vm;
    if (doomed !== vm) kept = vm;
    if (doomed !== undefined && !signal.aborted) await client.delete(doomed);
  }
}
