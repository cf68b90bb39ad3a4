/**
 * The settings, read from requests and written into answers. Nothing here names a setting: the definitions in
 * `server/pool/settings` and the messages of settings.proto are walked side by side, by name.
 */
import { create, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Duration, DurationSchema, durationFromMs } from "@bufbuild/protobuf/wkt";
import { assert, required } from "../../../shared/assert.ts";
import {
  type Settings,
  SettingsSchema,
  type SettingsSpec as SettingsSpecMessage,
  SettingsSpecSchema,
} from "../../../shared/gen/es/meridian/v1/settings_pb.ts";
import { settingsNeverSet } from "../../apply/settings.ts";
import { etagOf } from "../../pool/etag.ts";
import { type SetTree, type Setting, type SettingFields, wireName } from "../../pool/settings/setting.ts";
import { type SettingsSpec, sections, settingsFaults } from "../../pool/settings/settings.ts";
import type { PoolView } from "../../pool/view.ts";
import type { FieldChecks } from "../field-checks.ts";
import { readDuration, toTimestamp } from "./time.ts";
import type { Field } from "./types.ts";

export function toSettings(view: PoolView): Settings {
  const { settingsRecord: record, settings } = view;
  return create(SettingsSchema, {
    name: "settings",
    spec: toSettingsSpec(record?.spec ?? {}),
    effective: toSettingsSpec(settings),
    etag: etagOf(record ?? settingsNeverSet),
    ...(record === undefined
      ? {}
      : {
          uid: record.uid,
          generation: BigInt(record.generation),
          createTime: toTimestamp(record.createTimeMs),
          updateTime: toTimestamp(record.updateTimeMs),
        }),
  });
}

export function toSettingsSpec(set: SettingsSpec): MessageShape<typeof SettingsSpecSchema> {
  const message = reflect(SettingsSpecSchema);
  for (const [name, fields] of Object.entries(sections)) {
    // A section is a tree of what was set.
    const values = (set as SetTree)[name] as SetTree | undefined;
    if (values !== undefined) writeGroup(message, fieldNamed(SettingsSpecSchema, name), { fields, values });
  }
  // It was made of this schema.
  return message.message as MessageShape<typeof SettingsSpecSchema>;
}

/** What a request sets; the faults found are in `checks`. */
export function readSettingsSpec(checks: FieldChecks, { path, value }: Field<SettingsSpecMessage>): SettingsSpec {
  const message = reflect(SettingsSpecSchema, value);
  const set: Record<string, SetTree> = {};
  for (const [name, fields] of Object.entries(sections)) {
    const section = readGroup(checks, { path: `${path}.${name}`, value: message }, { name, fields });
    if (section !== undefined) set[name] = section;
  }
  for (const fault of settingsFaults(set)) checks.refuse(`${path}.${fault.path}`, fault.description);
  return set;
}

function readGroup(
  checks: FieldChecks,
  { path, value: parent }: Field<ReflectMessage>,
  { name, fields }: { readonly name: string; readonly fields: SettingFields },
): SetTree | undefined {
  const field = fieldNamed(parent.desc, name);
  if (!parent.isSet(field)) return undefined;
  const message = messageIn(parent, field);
  const set: Record<string, SetTree | number | boolean | string> = {};
  for (const [key, definition] of Object.entries(fields)) {
    const wire = wireName(key, definition);
    const at = { path: `${path}.${wire}`, value: message };
    const read =
      definition.kind === "group"
        ? readGroup(checks, at, { name: wire, fields: definition.fields })
        : readSetting(checks, at, { name: wire, setting: definition });
    if (read !== undefined) set[key] = read;
  }
  // A group in which nothing is set is none.
  return Object.keys(set).length === 0 ? undefined : set;
}

function readSetting(
  checks: FieldChecks,
  { path, value: parent }: Field<ReflectMessage>,
  { name, setting }: { readonly name: string; readonly setting: Setting },
): number | boolean | string | undefined {
  const field = fieldNamed(parent.desc, name);
  if (!parent.isSet(field)) return undefined;
  if (setting.kind === "span") {
    // It is a Duration, as a test compares; its bounds are checked with all others.
    const value = messageIn(parent, field).message as Duration;
    return readDuration(checks, { path, value }, { least: 0, most: Number.MAX_SAFE_INTEGER });
  }
  const value: unknown = parent.get(field);
  if (setting.kind === "choice") return wordOfValue(checks, { path, value: field }, value);
  assert(typeof value === "number" || typeof value === "boolean", `${path} is neither a number nor a flag`);
  return value;
}

function wordOfValue(checks: FieldChecks, { path, value: field }: Field<DescField>, value: unknown) {
  assert(field.fieldKind === "enum", `${path} is no enumeration`);
  const known = field.enum.values.find(({ number }) => number === value);
  if (known === undefined) checks.refuse(path, `has the value ${String(value)}, which this server does not know`);
  else if (known.number === 0) checks.refuse(path, "must say something; leave it out for the default");
  return known === undefined || known.number === 0 ? undefined : known.localName.toLowerCase().replaceAll("_", "-");
}

function writeGroup(
  parent: ReflectMessage,
  field: DescField,
  { fields, values }: { readonly fields: SettingFields; readonly values: SetTree },
): void {
  const message = messageIn(parent, field);
  for (const [key, definition] of Object.entries(fields)) {
    const value = values[key];
    const below = fieldNamed(message.desc, wireName(key, definition));
    if (value === undefined) continue;
    // What was set of a group is a tree.
    if (definition.kind === "group")
      writeGroup(message, below, { fields: definition.fields, values: value as SetTree });
    else if (definition.kind === "span") message.set(below, reflect(DurationSchema, durationFromMs(Number(value))));
    else if (typeof value === "string") message.set(below, valueOfWord(below, value));
    else message.set(below, value);
  }
  parent.set(field, message);
}

function valueOfWord(field: DescField, word: string): number {
  assert(field.fieldKind === "enum", `${field.name} is no enumeration`);
  const name = word.toUpperCase().replaceAll("-", "_");
  return required(
    field.enum.values.find(({ localName }) => localName === name),
    `value ${word} of ${field.name}`,
  ).number;
}

/** The message in a field; an empty one if it is not set. */
function messageIn(parent: ReflectMessage, field: DescField): ReflectMessage {
  assert(field.fieldKind === "message", `${field.name} is no message`);
  return parent.get(field);
}

function fieldNamed({ fields, name: message }: DescMessage, name: string): DescField {
  return required(
    fields.find((field) => field.name === name),
    `field ${name} of ${message}`,
  );
}
