/** What commands may ask about this Mac's VMs and jobs. `HostWatch` answers; it alone listens to the local service. */
import type { Cancellable } from "../../shared/clock.ts";
import type { ParallelsJob, ParallelsVm } from "../parallels/api.ts";

export interface HostVms {
  /** A list that was begun after this call: the only proof of what is there. Rejects with a `ParallelsError`, or with the
   * signal's reason. */
  listFresh(signal: AbortSignal): Promise<readonly ParallelsVm[]>;
  /** The VM as the agent last saw it. */
  find(vmId: string): ParallelsVm | undefined;
  /** All VMs as the agent last saw them. */
  vms(): Iterable<ParallelsVm>;
  /** How many changes on this Mac have been seen: to be read before a look, and handed to `waitForChange` after it. */
  readonly changeCount: number;
  /** Resolves as soon as `changeCount` is not `since`, at the latest after `limitMs`; rejects with the signal's reason. */
  waitForChange(since: number, limitMs: number, signal: AbortSignal): Promise<void>;
  /** Calls `listener` for each event of the job until cancelled. */
  followJob(jobId: string, listener: (job: ParallelsJob) => void): Cancellable;
}
