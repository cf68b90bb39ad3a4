/** Settings of placement: what a VM that does not say otherwise is placed by. Scores are in `server/placement/scores.ts`. */
import { choice, group, type NumberSetting, number, span, type ValuesOf } from "./setting.ts";

/** @param weight the default. */
function weight(weight: number): NumberSetting {
  const why = "0 leaves the score out, and what is to outweigh all others needs no more";
  return number({ default: weight, least: 0, most: 10_000, why });
}

export const placementSettings = {
  /** Whether hosts are filled one after the other or evenly, for VMs whose spec does not say. */
  strategy: choice({ words: ["pack", "spread"], default: "pack" }),
  /** How long a failure on a host counts against it. */
  failureWindowMs: span({
    default: 10 * 60_000,
    least: 1000,
    most: 7 * 24 * 3_600_000,
    why: "what happened long ago says little of now",
  }),
  /** What each score counts, by its name. */
  weights: group({
    notFailedHere: weight(200),
    templatePresent: weight(100),
    beingPulled: weight(60),
    preferredLabels: weight(50),
    recentFailures: weight(40),
    spreadKey: weight(30),
    hostSize: weight(20),
    strategy: weight(10),
  }),
};

export type PlacementSettings = ValuesOf<typeof placementSettings>;
