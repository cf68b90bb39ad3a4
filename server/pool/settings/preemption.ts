/** Settings of preemption: whether, when and how fast VMs that are marked preemptible give way to more urgent ones. */
import { flag, number, span, type ValuesOf } from "./setting.ts";

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

export const preemptionSettings = {
  /** Whether any VM is ended for another at all. A pool begins without: who marks a VM has to know what that will mean. */
  enabled: flag({ default: false }),
  /** How long a VM knows that it is to be ended before it is: enough to end a step of a build, or to save what there is. */
  noticeMs: span({
    default: minuteMs,
    least: secondMs,
    most: hourMs,
    why: "a VM that is ended without a word saves nothing, and the room of one that has notice is used by nobody else",
  }),
  /** How long a VM waits that fits nowhere until others have to give way to it: much room appears by itself before. */
  afterWaitMs: span({
    default: minuteMs,
    least: 0,
    most: 24 * hourMs,
    why: "who waits for longer is not in a hurry",
  }),
  /** To how many VMs of the pool notice is given within one minute: a mistake in priorities must not empty it. */
  victimsPerMinute: number({
    default: 10,
    least: 1,
    most: 1000,
    isWhole: true,
    why: "none at all is what `preemption.enabled` says, and more than that is no rate any more",
  }),
};

export type PreemptionSettings = ValuesOf<typeof preemptionSettings>;
