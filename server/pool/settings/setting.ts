/**
 * What a setting is: its kind, its default, its bounds and why they are where they are. A section is a tree of them, in one
 * file; from it follow the type of its values, their defaults, the checks of a request, the conversion from and to the
 * protocol (by name: `lostAfterMs` is the field `lost_after`) and the rows of docs/settings.md.
 */

interface Bounds {
  readonly least: number;
  readonly most: number;
  /** Why it may not be less or more, as a clause. */
  readonly why: string;
}

export interface NumberSetting extends Bounds {
  readonly kind: "number";
  readonly default: number;
  /** Default false. */
  readonly isWhole?: boolean;
}

/** A span of time in ms; its name ends in "Ms". */
export interface SpanSetting extends Bounds {
  readonly kind: "span";
  readonly default: number;
  /** What 0 stands for, which is then allowed beside the bounds, such as "no lease". */
  readonly zero?: string;
}

export interface FlagSetting {
  readonly kind: "flag";
  readonly default: boolean;
}

/** One of a few words. Its field is an enumeration whose values have the words' names, after its prefix. */
export interface ChoiceSetting<Word extends string = string> {
  readonly kind: "choice";
  readonly words: readonly Word[];
  readonly default: Word;
}

export interface SettingGroup<Fields extends SettingFields = SettingFields> {
  readonly kind: "group";
  readonly fields: Fields;
}

export type Setting = NumberSetting | SpanSetting | FlagSetting | ChoiceSetting;
export type SettingFields = { readonly [name: string]: Setting | SettingGroup };

/** All that a section's fields say, with every default filled in. */
export type ValuesOf<Fields extends SettingFields> = { readonly [Name in keyof Fields]: ValueOf<Fields[Name]> };

type ValueOf<Definition extends Setting | SettingGroup> =
  Definition extends SettingGroup<infer Fields>
    ? ValuesOf<Fields>
    : Definition extends ChoiceSetting<infer Word>
      ? Word
      : Definition extends FlagSetting
        ? boolean
        : number;

/** What was set of a group: its other fields have their defaults. */
export type SetValues<Values> = { readonly [Name in keyof Values]?: SetValue<Values[Name]> };
type SetValue<Value> = Value extends object ? SetValues<Value> : Value;

/** What was set of a section, when which section it is does not matter. */
export interface SetTree {
  readonly [name: string]: SetTree | number | boolean | string | undefined;
}

export function group<Fields extends SettingFields>(fields: Fields): SettingGroup<Fields> {
  return { kind: "group", fields };
}

export function number(setting: Omit<NumberSetting, "kind">): NumberSetting {
  return { kind: "number", ...setting };
}

export function span(setting: Omit<SpanSetting, "kind">): SpanSetting {
  return { kind: "span", ...setting };
}

export function flag(setting: Omit<FlagSetting, "kind">): FlagSetting {
  return { kind: "flag", ...setting };
}

export function choice<const Word extends string>(setting: Omit<ChoiceSetting<Word>, "kind">): ChoiceSetting<Word> {
  return { kind: "choice", ...setting };
}

/** The name of a setting in the protocol and in paths: `lostAfterMs` of the kind span is `lost_after`. */
export function wireName(name: string, { kind }: Setting | SettingGroup): string {
  const bare = kind === "span" ? name.replace(/Ms$/, "") : name;
  return bare.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
