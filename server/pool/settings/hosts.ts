/** Settings of hosts: when one counts as silent and when as lost. */
import { number, span, type ValuesOf } from "./setting.ts";

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
};

export type HostSettings = ValuesOf<typeof hostSettings>;
