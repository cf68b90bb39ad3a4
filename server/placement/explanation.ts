/** What placement tells about a VM: where it stands or would stand, and why, host by host. */
import type { HostId } from "../../shared/ids.ts";
import type { WaitEstimate } from "./wait-estimate.ts";

export interface PlacementExplanation {
  /** The whole of it in one sentence. */
  readonly summary: string;
  /** Where it stands, or would be placed now. */
  readonly host?: HostId;
  /** The most frequent refusal first. */
  readonly refusalCounts: readonly RefusalCount[];
  /** The best host first; at most `verdictsMax`. */
  readonly verdicts: readonly HostVerdict[];
  /** From 1; 0 if it does not wait. */
  readonly queuePosition: number;
  readonly queueLength: number;
  /** Of a VM that waits or would: how long it will probably wait from now on; absent: that cannot be told. */
  readonly estimate?: WaitEstimate;
  /** Of a plan: how many of the VMs asked for would be placed now. */
  readonly fitNow?: number;
}

export interface RefusalCount {
  /** The filter's name. */
  readonly filter: string;
  readonly hosts: number;
  /** Such as "9 hosts have no free macOS slot". */
  readonly message: string;
}

export type HostVerdict =
  | {
      readonly host: HostId;
      readonly fits: true;
      readonly score: number;
      readonly terms: readonly ScoreTerm[];
    }
  | { readonly host: HostId; readonly fits: false; readonly filter: string; readonly message: string };

export interface ScoreTerm {
  readonly name: string;
  /** From 0 to 1. */
  readonly value: number;
  readonly weight: number;
}

/** How many verdicts one explanation holds at most: as many as a page of a list. */
export const verdictsMax = 1000;
