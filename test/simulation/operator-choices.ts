/** What operators set, drawn from chance, within the bounds of the settings. */
import type { ProjectQuota } from "../../server/pool/project.ts";
import type { SettingsSpec } from "../../server/pool/settings/settings.ts";
import type { Random } from "../../simulator/random.ts";
import { pick } from "./pick.ts";

/** Bounds that VMs of one or two projects meet, and bounds that they seldom do. */
export function drawQuota(random: Random): ProjectQuota {
  return {
    vms: Math.floor(random.between(2, 8)),
    ...(random.chance(0.5) ? { cpuCount: Math.floor(random.between(4, 16)) } : {}),
    ...(random.chance(0.5) ? { macosSlots: Math.floor(random.between(0, 4)) } : {}),
    ...(random.chance(0.3) ? { memoryMib: Math.floor(random.between(8_000, 40_000)) } : {}),
  };
}

/** Of placement and the queue. */
export function drawSettings(random: Random): SettingsSpec {
  return {
    placement: { strategy: random.chance(0.5) ? "pack" : "spread" },
    queue: { priorityStepMs: Math.round(random.between(1_000, 60_000)) },
  };
}

/** Of hosts; they stay for a run, since what it does takes its time from them. */
export function drawHostSettings(random: Random): NonNullable<SettingsSpec["hosts"]> {
  const lostAfterMs = pick(random, [20_000, 60_000, 180_000, 900_000] as const) ?? 900_000;
  const isQuick = random.chance(0.5);
  return {
    lostAfterMs,
    startGraceMs: isQuick ? 40_000 : 120_000,
    quarantine: {
      failures: isQuick ? 1 : 3,
      durationMs: isQuick ? 10_000 : 60_000,
      maximumDurationMs: 120_000,
      share: 0.7,
    },
  };
}
