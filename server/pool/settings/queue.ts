/** Settings of the queue: how waiting counts, and when nobody is passed over any longer. */
import { number, span, type ValuesOf } from "./setting.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

export const queueSettings = {
  /**
   * How long a VM waits until that counts as one step of priority: from the usual priority, 50, to the highest in 50 minutes,
   * the length of a long build.
   */
  priorityStepMs: span({
    default: minuteMs,
    least: secondMs,
    most: 24 * hourMs,
    why: "a hundred steps have to be reached by waiting, and not at once",
  }),
  /**
   * How long VMs of one shape and one project may be passed over, once waiting has brought them to the highest priority, until
   * they go before all others, whatever their project holds.
   */
  passedOverMaxMs: span({
    default: 30 * minuteMs,
    least: 0,
    most: 7 * 24 * hourMs,
    why: "nothing may wait for ever",
  }),
  /**
   * How long smaller VMs may be placed while one waits that needs more than they leave free, until room builds up for it on
   * one host.
   */
  reserveAfterMs: span({
    default: 10 * minuteMs,
    least: secondMs,
    most: 7 * 24 * hourMs,
    why: "room that is kept is used by nobody",
  }),
  /** How long room is kept for a VM before it is given back, and the VM has to wait for another. */
  reservationMaxMs: span({
    default: 2 * hourMs,
    least: 10 * secondMs,
    most: 7 * 24 * hourMs,
    why: "room that is kept is used by nobody",
  }),
  /** The share of hosts that may keep room at a time; one host may, unless it is 0. */
  reservedShare: number({ default: 0.1, least: 0, most: 1, why: "it is a share of the hosts" }),
};

export type QueueSettings = ValuesOf<typeof queueSettings>;
