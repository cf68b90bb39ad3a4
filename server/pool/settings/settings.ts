/**
 * The settings of the pool, which change at run time. The record holds what was set and nothing else, so that a default that
 * changes with a new version reaches every pool that did not choose; `PoolSettings` has every default filled in.
 *
 * A new section: a file of its own beside this one, its line in `sections`, its message and field in
 * proto/meridian/v1/settings.proto, its rows in docs/settings.md. Tests compare all of these with each other.
 */
import type { Uid } from "../../../shared/ids.ts";
import { faultsOf, fill, type SettingFault } from "./fill.ts";
import { hostSettingFaults, hostSettings } from "./hosts.ts";
import { limitSettings } from "./limits.ts";
import { placementSettings } from "./placement.ts";
import { preemptionSettings } from "./preemption.ts";
import { queueSettings } from "./queue.ts";
import type { SetTree, SetValues, ValuesOf } from "./setting.ts";
import { vmSettingFaults, vmSettings } from "./vms.ts";

export const sections = {
  placement: placementSettings,
  hosts: hostSettings,
  vms: vmSettings,
  queue: queueSettings,
  preemption: preemptionSettings,
  limits: limitSettings,
};

export type SectionName = keyof typeof sections;

/** Every setting. A section stays the same object as long as nothing in it changes. */
export type PoolSettings = { readonly [Name in SectionName]: ValuesOf<(typeof sections)[Name]> };

/** What was set. */
export type SettingsSpec = SetValues<PoolSettings>;

export interface SettingsRecord {
  readonly id: "pool";
  readonly uid: Uid;
  readonly spec: SettingsSpec;
  /** Counts the changes of `spec`. */
  readonly generation: number;
  readonly createTimeMs: number;
  readonly updateTimeMs: number;
  readonly revision: number;
}

/** Frozen, through and through. */
export function fillSettings(spec: SettingsSpec, before?: PoolSettings): PoolSettings {
  const filled = Object.entries(sections).map(([name, fields]) => {
    const values = fill(fields, (spec as SetTree)[name] as SetTree | undefined);
    const known = before?.[name as SectionName];
    return [name, JSON.stringify(known) === JSON.stringify(values) ? known : values];
  });
  // Each section has the values that its definition says.
  return Object.freeze(Object.fromEntries(filled)) as PoolSettings;
}

/** The settings of a pool in which nothing was set. */
export const defaultSettings = fillSettings({});

/** What is wrong with what was set; paths begin with the section. */
export function settingsFaults(spec: SettingsSpec): SettingFault[] {
  const faults = Object.entries(sections).flatMap(([name, fields]) =>
    faultsOf(fields, ((spec as SetTree)[name] ?? {}) as SetTree, `${name}.`),
  );
  if (faults.length > 0) return faults;
  const { placement, hosts, vms } = fillSettings(spec);
  const isTooLong = placement.failureWindowMs > hosts.quarantine.windowMs;
  const description = "must not be longer than hosts.quarantine.window, for which failures are remembered";
  return [
    ...(isTooLong ? [{ path: "placement.failure_window", description }] : []),
    ...below("hosts", hostSettingFaults(hosts)),
    ...below("vms", vmSettingFaults(vms)),
  ];
}

function below(section: SectionName, faults: readonly SettingFault[]): SettingFault[] {
  return faults.map(({ path, description }) => ({ path: `${section}.${path}`, description }));
}
