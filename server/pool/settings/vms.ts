/** Settings of VMs: how long their records are kept when they have ended, and for how long they may be asked for. */
import type { SettingFault } from "./fill.ts";
import { choice, span, type ValuesOf } from "./setting.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const dayMs = 24 * 60 * minuteMs;

export const vmSettings = {
  /** How long a failed VM is kept for a look. */
  failedRetentionMs: span({
    default: 15 * minuteMs,
    least: 1 * secondMs,
    most: 7 * dayMs,
    why: "it holds its capacity until then",
  }),
  /** How long a deleted VM's record is kept, so that whoever waits for it sees it go. */
  deletedRetentionMs: span({
    default: 10 * minuteMs,
    least: 1 * secondMs,
    most: 7 * dayMs,
    why: "whoever waits for the end has to see it, and records take memory",
  }),
  /** The lease of a VM whose spec says nothing of one. */
  defaultLeaseMs: span({
    default: 0,
    least: 10 * secondMs,
    most: 30 * dayMs,
    zero: "no lease",
    why: "a lease is from 10 s to 30 days",
  }),
  /** The longest lease that can be asked for. */
  maximumLeaseMs: span({
    default: 30 * dayMs,
    least: 10 * secondMs,
    most: 30 * dayMs,
    why: "a lease is from 10 s to 30 days",
  }),
  /** Who may have a VM that lives until somebody deletes it. */
  withoutLease: choice({ words: ["anyone", "nobody"], default: "anyone" }),
};

export type VmSettings = ValuesOf<typeof vmSettings>;

/** What does not go together. */
export function vmSettingFaults({ defaultLeaseMs, maximumLeaseMs }: VmSettings): SettingFault[] {
  if (defaultLeaseMs <= maximumLeaseMs) return [];
  return [{ path: "default_lease", description: "must not be longer than vms.maximum_lease" }];
}
