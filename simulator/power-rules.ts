/** The rules by which the service lets a state verb pass, and the states that the verb leads through. */
import type { VmState } from "./vm.ts";

export type PowerVerb = "start" | "stop" | "restart" | "pause" | "suspend" | "resume" | "reset";

export interface PowerRule {
  /** From these it says yes and does nothing. */
  readonly alreadyDone: readonly VmState[];
  /** From these it calls `prlctl`. */
  readonly serviceAllows: readonly VmState[];
  /** What it says from all others. */
  readonly refusal: string;
  readonly passing: VmState;
  readonly reached: "running" | "stopped" | "paused" | "suspended";
}

const allButStopped: readonly VmState[] = [
  "starting",
  "running",
  "stopping",
  "pausing",
  "paused",
  "suspending",
  "suspended",
  "resuming",
  "resetting",
  "invalid",
];

export const powerRules: Readonly<Record<PowerVerb, PowerRule>> = {
  start: {
    alreadyDone: ["running"],
    serviceAllows: ["stopped"],
    refusal: "VM is not stopped",
    passing: "starting",
    reached: "running",
  },
  stop: {
    alreadyDone: ["stopped"],
    serviceAllows: ["running"],
    refusal: "VM is not running",
    passing: "stopping",
    reached: "stopped",
  },
  restart: {
    alreadyDone: ["stopped"],
    serviceAllows: ["running"],
    refusal: "VM is not running",
    passing: "resetting",
    reached: "running",
  },
  pause: {
    alreadyDone: ["paused"],
    serviceAllows: ["running"],
    refusal: "VM is not running",
    passing: "pausing",
    reached: "paused",
  },
  suspend: {
    alreadyDone: ["suspended"],
    serviceAllows: ["running"],
    refusal: "VM is not running",
    passing: "suspending",
    reached: "suspended",
  },
  resume: {
    alreadyDone: [],
    serviceAllows: ["paused", "suspended"],
    refusal: "VM is not paused or suspended",
    passing: "resuming",
    reached: "running",
  },
  /** The service asks nothing before a reset; what is not running, `prlctl` refuses. */
  reset: {
    alreadyDone: ["stopped"],
    serviceAllows: allButStopped,
    refusal: "VM is not running",
    passing: "resetting",
    reached: "running",
  },
};
