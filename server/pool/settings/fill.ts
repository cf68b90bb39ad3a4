/** What follows from the definitions of settings: values with every default filled in, and faults of values that were set. */
import { assertNever } from "../../../shared/assert.ts";
import {
  type NumberSetting,
  type SetTree,
  type Setting,
  type SettingFields,
  type SpanSetting,
  type ValuesOf,
  wireName,
} from "./setting.ts";

/** The values with every default filled in, frozen. Names that have no definition are left out. */
export function fill<Fields extends SettingFields>(fields: Fields, set: SetTree = {}): ValuesOf<Fields> {
  const values = Object.entries(fields).map(([name, definition]) => {
    const value = set[name];
    if (definition.kind === "group") return [name, fill(definition.fields, isTree(value) ? value : {})];
    return [name, value ?? definition.default];
  });
  // Each name has the value that its definition says.
  return Object.freeze(Object.fromEntries(values)) as ValuesOf<Fields>;
}

export interface SettingFault {
  /** Such as "weights.strategy", below the section. */
  readonly path: string;
  readonly description: string;
}

/** What is wrong with what was set, each by itself. */
export function faultsOf(fields: SettingFields, set: SetTree, prefix = ""): SettingFault[] {
  return Object.entries(fields).flatMap(([name, definition]) => {
    const value = set[name];
    const path = `${prefix}${wireName(name, definition)}`;
    if (value === undefined) return [];
    if (definition.kind === "group") return isTree(value) ? faultsOf(definition.fields, value, `${path}.`) : [];
    const description = faultOf(definition, value);
    return description === undefined ? [] : [{ path, description }];
  });
}

/** A setting by its path. */
export interface NamedSetting {
  /** Such as "weights.strategy", below the section. */
  readonly path: string;
  readonly setting: Setting;
}

/** All settings of a section, in the order of their definitions. */
export function settingsIn(fields: SettingFields, prefix = ""): NamedSetting[] {
  return Object.entries(fields).flatMap(([name, definition]) => {
    const path = `${prefix}${wireName(name, definition)}`;
    return definition.kind === "group" ? settingsIn(definition.fields, `${path}.`) : [{ path, setting: definition }];
  });
}

function faultOf(setting: Setting, value: SetTree[string]): string | undefined {
  switch (setting.kind) {
    case "number":
      return numberFault(setting, Number(value));
    case "span":
      return spanFault(setting, Number(value));
    case "flag":
    case "choice":
      // The protocol has no other values, but for words of a newer version, which are refused where they are read.
      return undefined;
    default:
      return assertNever(setting, "kind of setting");
  }
}

function numberFault({ least, most, isWhole, why }: NumberSetting, value: number): string | undefined {
  // Written so that NaN is refused too.
  if (value >= least && value <= most && (isWhole !== true || Number.isInteger(value))) return undefined;
  return `must be ${isWhole === true ? "a whole number " : ""}from ${least} to ${most}, not ${value}: ${why}`;
}

function spanFault({ least, most, zero, why }: SpanSetting, valueMs: number): string | undefined {
  if ((valueMs >= least && valueMs <= most) || (zero !== undefined && valueMs === 0)) return undefined;
  const or = zero === undefined ? "" : `, or 0 for ${zero}`;
  return `must be from ${seconds(least)} to ${seconds(most)}${or}, not ${seconds(valueMs)}: ${why}`;
}

function seconds(spanMs: number): string {
  return `${spanMs / 1000} s`;
}

function isTree(value: SetTree[string]): value is SetTree {
  return typeof value === "object";
}
