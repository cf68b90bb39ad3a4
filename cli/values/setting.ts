/**
 * Settings as people write them, `placement.strategy=spread`: found in the messages of the protocol by their names, so that
 * a new one needs nothing here.
 */
import { type DescField, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Duration, DurationSchema, durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { SettingsSpecSchema } from "../../shared/gen/es/meridian/v1/settings_pb.ts";
import { wrongUsage } from "../failure.ts";
import { formatDuration, parseDurationMs } from "./duration.ts";

export type SettingsSpec = MessageShape<typeof SettingsSpecSchema>;

export interface SettingValue {
  /** Such as "placement.strategy". */
  readonly path: string;
  /** As `set` takes it. */
  readonly text: string;
}

/** All that is set in a message, in its order. */
export function settingValues(spec: SettingsSpec): readonly SettingValue[] {
  return valuesIn(reflect(SettingsSpecSchema, spec), "");
}

/** All settings that there are. */
export function settingPaths(): readonly string[] {
  return pathsIn(reflect(SettingsSpecSchema), "");
}

/** What `path=value` texts set. Throws a `Failure` for a path that is no setting, and for a value that it cannot have. */
export function parseSettings(texts: readonly string[]): { readonly spec: SettingsSpec; readonly paths: string[] } {
  const spec = reflect(SettingsSpecSchema);
  const paths = texts.map((text) => {
    const equals = text.indexOf("=");
    if (equals <= 0) throw wrongUsage(`"${text}" is not of the form PATH=VALUE`, example);
    const path = checkedPath(text.slice(0, equals));
    setValue(spec, path.split("."), text.slice(equals + 1));
    return path;
  });
  // It was made of this schema.
  return { spec: spec.message as SettingsSpec, paths };
}

/** The path, if it is one of a setting. */
export function checkedPath(path: string): string {
  if (settingPaths().includes(path)) return path;
  throw wrongUsage(`there is no setting "${path}"`, "`meridian pool settings show` lists them all.");
}

const example = "For example: `meridian pool settings set placement.strategy=spread`.";

function valuesIn(message: ReflectMessage, prefix: string): SettingValue[] {
  return message.fields.flatMap((field) => {
    const path = `${prefix}${field.name}`;
    if (!message.isSet(field)) return [];
    if (field.fieldKind === "message" && !isDuration(field)) return valuesIn(message.get(field), `${path}.`);
    return [{ path, text: formatValue(message, field) }];
  });
}

function pathsIn(message: ReflectMessage, prefix: string): string[] {
  return message.fields.flatMap((field) => {
    const path = `${prefix}${field.name}`;
    return field.fieldKind === "message" && !isDuration(field) ? pathsIn(message.get(field), `${path}.`) : [path];
  });
}

function formatValue(message: ReflectMessage, field: DescField): string {
  // `isDuration` has looked at the type.
  if (field.fieldKind === "message") return formatSpan(message.get(field).message as Duration);
  const value: unknown = message.get(field);
  if (field.fieldKind === "enum") return wordOf(field.enum.value[Number(value)]?.localName ?? String(value));
  return String(value);
}

/** Exactly, which the two units that people read do not always say. */
function formatSpan(duration: Duration): string {
  const spanMs = durationMs(duration);
  const text = formatDuration(spanMs);
  return parseDurationMs(text) === spanMs ? text : `${spanMs / 1000}s`;
}

function setValue(message: ReflectMessage, [name = "", ...below]: readonly string[], text: string): void {
  const field = message.fields.find((each) => each.name === name);
  if (field === undefined) return;
  if (field.fieldKind === "message" && !isDuration(field)) {
    const group = message.get(field);
    setValue(group, below, text);
    message.set(field, group);
  } else message.set(field, parseValue(field, text));
}

function parseValue(field: DescField, text: string): unknown {
  if (field.fieldKind === "message") return reflect(DurationSchema, durationFromMs(parseSpanMs(field, text)));
  if (field.fieldKind === "enum") {
    const words = field.enum.values.filter(({ number }) => number !== 0);
    const found = words.find(({ localName }) => wordOf(localName) === text.toLowerCase());
    if (found !== undefined) return found.number;
    throw notA(field, text, words.map(({ localName }) => wordOf(localName)).join(" or "));
  }
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.BOOL) {
    if (text !== "true" && text !== "false") throw notA(field, text, "true or false");
    return text === "true";
  }
  if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) return text;
  const isWhole = field.fieldKind === "scalar" && field.scalar !== ScalarType.DOUBLE;
  // Bounds are the server's; what a field cannot hold at all is said here.
  if (!(isWhole ? /^\d{1,9}$/ : /^-?\d+(\.\d+)?$/).test(text))
    throw notA(field, text, isWhole ? "a whole number" : "a number");
  return Number(text);
}

function parseSpanMs(field: DescField, text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    throw error instanceof InvalidArgumentError ? notA(field, text, "a duration such as 90s, 5m or 1h30m") : error;
  }
}

function notA(field: DescField, text: string, what: string): Error {
  return wrongUsage(`${field.name} cannot be "${text}": it must be ${what}`);
}

function isDuration(field: DescField): boolean {
  return field.fieldKind === "message" && field.message.typeName === DurationSchema.typeName;
}

function wordOf(localName: string): string {
  return localName.toLowerCase().replaceAll("_", "-");
}
