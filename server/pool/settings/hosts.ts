/** Settings of hosts: when one counts as silent, as lost, and as one on which VMs only fail. */
import type { SettingFault } from "./fill.ts";
import { group, number, span, type ValuesOf } from "./setting.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

export const hostSettings = {
  /** How many heartbeats a host may miss before its VMs are UNKNOWN. Three, so that one lost packet means nothing. */
  silentAfterPeriods: number({
    default: 3,
    least: 2,
    most: 100,
    isWhole: true,
    why: "one heartbeat that comes late is no silence",
  }),
  /** How long a host may be silent before it is LOST: a Mac that installs an update and restarts is back within that. */
  lostAfterMs: span({
    default: 15 * minuteMs,
    least: 10 * secondMs,
    most: 7 * 24 * hourMs,
    why: "VMs of a lost host may be replaced while they still run there",
  }),
  /** The first bound of silence after the server's own start: agents back off for up to 30 s before they return. */
  startGraceMs: span({
    default: 2 * minuteMs,
    least: 35 * secondMs,
    most: hourMs,
    why: "agents wait for up to 30 s before they dial again",
  }),
  /** How many hosts pull images at once that no VM waits for: catalogs have other things to do. */
  parallelPrefetches: number({ default: 4, least: 1, most: 1000, isWhole: true, why: "none at all would never end" }),
  /** When a host on which VMs keep failing takes none for a while, and when a template is blamed instead. */
  quarantine: group({
    /** How many VMs fail on a host before it goes into quarantine; one that comes up takes one failure away. */
    failures: number({ default: 3, least: 1, most: 50, isWhole: true, why: "a host remembers its last 50 failures" }),
    /** How long a failure counts. */
    windowMs: span({
      default: 30 * minuteMs,
      least: minuteMs,
      most: 7 * 24 * hourMs,
      why: "what happened long ago says little of now",
    }),
    /** How long the first quarantine lasts until the host is probed with a VM; each that follows is twice as long. */
    durationMs: span({
      default: 10 * minuteMs,
      least: 10 * secondMs,
      most: 24 * hourMs,
      why: "it has to do some good",
    }),
    /** How long one lasts at most. */
    maximumDurationMs: span({
      default: 6 * hourMs,
      least: 10 * secondMs,
      most: 7 * 24 * hourMs,
      why: "a host that was repaired is to be found out some time",
    }),
    /** Which share of the hosts that are READY may be in quarantine at once: one at least, and never the last. 0: none. */
    share: number({
      default: 0.2,
      least: 0,
      most: 0.9,
      why: "0 is no quarantine at all, and some hosts have to be left",
    }),
    /** On how many hosts a template fails before it is blamed instead of them. */
    templateHosts: number({
      default: 3,
      least: 2,
      most: 64,
      isWhole: true,
      why: "one host says nothing of a template, which remembers 64 of them",
    }),
  }),
};

export type HostSettings = ValuesOf<typeof hostSettings>;

/** What does not go together. */
export function hostSettingFaults({ quarantine }: HostSettings): SettingFault[] {
  if (quarantine.durationMs <= quarantine.maximumDurationMs) return [];
  return [{ path: "quarantine.duration", description: "must not be longer than hosts.quarantine.maximum_duration" }];
}
