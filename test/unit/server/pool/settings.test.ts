import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { formatDuration } from "../../../../cli/values/duration.ts";
import { settingsIn } from "../../../../server/pool/settings/fill.ts";
import type { Setting, SettingGroup } from "../../../../server/pool/settings/setting.ts";
import { wireName } from "../../../../server/pool/settings/setting.ts";
import { defaultSettings, fillSettings, sections, settingsFaults } from "../../../../server/pool/settings/settings.ts";
import { SettingsSpecSchema } from "../../../../shared/gen/es/meridian/v1/settings_pb.ts";

const all = Object.entries(sections).flatMap(([name, fields]) => settingsIn(fields, `${name}.`));

describe("settings", () => {
  it("have their defaults where nothing was set, and what was set otherwise", () => {
    const { placement, hosts } = fillSettings({
      placement: { weights: { strategy: 7 } },
      hosts: { lostAfterMs: 20_000 },
    });
    assert.equal(placement.weights.strategy, 7);
    assert.equal(placement.weights.templatePresent, 100);
    assert.equal(hosts.lostAfterMs, 20_000);
    assert.equal(placement.strategy, "pack");
  });

  it("are frozen, through and through", () => {
    assert.ok(Object.isFrozen(defaultSettings));
    assert.ok(Object.isFrozen(defaultSettings.placement));
    assert.ok(Object.isFrozen(defaultSettings.placement.weights));
  });

  it("keep a section as it is while nothing in it changes", () => {
    const after = fillSettings({ hosts: { lostAfterMs: 20_000 }, vms: { defaultLeaseMs: 0 } }, defaultSettings);
    assert.notEqual(after.hosts, defaultSettings.hosts);
    assert.equal(after.placement, defaultSettings.placement);
    assert.equal(after.vms, defaultSettings.vms, "a default that is set is the same value");
  });

  it("are refused out of their range, with the range and the reason", () => {
    const [fault, ...others] = settingsFaults({ placement: { weights: { strategy: -1 } } });
    assert.equal(fault?.path, "placement.weights.strategy");
    assert.match(fault.description, /^must be from 0 to 10000, not -1: \w+/);
    assert.deepEqual(others, []);
  });

  it("have defaults and bounds that are accepted, and nothing just beyond them", () => {
    for (const [name, fields] of Object.entries(sections)) {
      for (const [path, definition] of leaves(fields)) {
        const faults = (value: unknown): number => settingsFaults({ [name]: nested(path, value) }).length;
        if (definition.kind === "flag" || definition.kind === "choice") continue;
        for (const value of [definition.default, definition.least, definition.most]) {
          const isCrossed = crossed.includes(path.at(-1) ?? "");
          if (!isCrossed) assert.equal(faults(value), 0, `${name}.${path.join(".")} = ${value}`);
        }
        const beyond = [definition.most + 1, Number.NaN, ...(definition.least > 0 ? [definition.least * 0.9] : [-1])];
        for (const value of beyond) assert.equal(faults(value), 1, `${name}.${path.join(".")} = ${value}`);
      }
    }
  });

  it("must go together", () => {
    const faults = settingsFaults({ vms: { defaultLeaseMs: 60_000, maximumLeaseMs: 30_000 } });
    assert.deepEqual(
      faults.map(({ path }) => path),
      ["vms.default_lease"],
    );
  });

  it("have a field each in the protocol, of their kind, and there is no other", () => {
    const expected = Object.entries(sections).map(([name, fields]) => [name, { kind: "group", fields }] as const);
    compareFields(SettingsSpecSchema, expected, "");
  });
});

/** Those that are also held against others. */
const crossed = ["defaultLeaseMs", "maximumLeaseMs", "failureWindowMs", "windowMs", "durationMs", "maximumDurationMs"];

describe("docs/settings.md", () => {
  const page = readFileSync(new URL("../../../../docs/settings.md", import.meta.url), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));

  it("has a row for every setting, with its default and its range", () => {
    const documented = rows.map((row) =>
      row
        .split("|")
        .slice(1, 4)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
    assert.deepEqual(
      documented,
      all.map(({ path, setting }) => [path, defaultOf(setting), rangeOf(setting)]),
    );
  });
});

type Fields = Readonly<Record<string, Setting | SettingGroup>>;

function leaves(fields: Fields): (readonly [readonly string[], Setting])[] {
  return Object.entries(fields).flatMap(([name, definition]) => {
    if (definition.kind !== "group") return [[[name], definition] as const];
    return leaves(definition.fields).map(([path, setting]) => [[name, ...path], setting] as const);
  });
}

function nested([name = "", ...below]: readonly string[], value: unknown): object {
  return { [name]: below.length === 0 ? value : nested(below, value) };
}

function compareFields(
  message: DescMessage,
  expected: readonly (readonly [string, Setting | SettingGroup])[],
  path: string,
): void {
  assert.deepEqual(
    message.fields.map(({ name }) => name).toSorted(),
    expected.map(([name, definition]) => wireName(name, definition)).toSorted(),
    path,
  );
  for (const [name, definition] of expected) {
    const field = message.fields.find((each) => each.name === wireName(name, definition)) ?? assert.fail(name);
    const at = `${path}${field.name}`;
    assert.equal(kindOf(field), definition.kind, at);
    if (definition.kind === "group" && field.fieldKind === "message")
      compareFields(field.message, Object.entries(definition.fields), `${at}.`);
    if (definition.kind === "choice" && field.fieldKind === "enum") {
      const words = field.enum.values.slice(1).map(({ localName }) => localName.toLowerCase().replaceAll("_", "-"));
      assert.deepEqual(words, [...definition.words], at);
    }
    if (definition.kind !== "group")
      assert.ok(field.proto.proto3Optional || field.fieldKind === "message", `${at} is not optional`);
  }
}

function kindOf(field: DescField): Setting["kind"] | "group" {
  if (field.fieldKind === "message") return field.message.typeName === "google.protobuf.Duration" ? "span" : "group";
  if (field.fieldKind === "enum") return "choice";
  return field.fieldKind === "scalar" && field.scalar === ScalarType.BOOL ? "flag" : "number";
}

function defaultOf(setting: Setting): string {
  return setting.kind === "span" ? formatDuration(setting.default) : String(setting.default);
}

function rangeOf(setting: Setting): string {
  switch (setting.kind) {
    case "number":
      return `${setting.least} to ${setting.most}${setting.isWhole === true ? ", whole" : ""}`;
    case "span":
      return `${formatDuration(setting.least)} to ${formatDuration(setting.most)}${setting.zero === undefined ? "" : `, or 0s: ${setting.zero}`}`;
    case "flag":
      return "true, false";
    default:
      return setting.words.join(", ");
  }
}
