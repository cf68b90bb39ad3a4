/** The shape of the record of settings: made of the definitions, of which its type is made as well. */

import type { Setting, SettingFields, SettingGroup } from "../../../server/pool/settings/setting.ts";
import { sections } from "../../../server/pool/settings/settings.ts";
import { assertNever } from "../../../shared/assert.ts";
import type { Shape } from "./record-shape.ts";

export const settingsShape: Shape = {
  id: { words: { pool: 1 } },
  uid: "string",
  spec: Object.fromEntries(Object.entries(sections).map(([name, fields]) => [`${name}?`, shapeOfFields(fields)])),
  generation: "number",
  createTimeMs: "number",
  updateTimeMs: "number",
  revision: "number",
};

/** Whatever of it was set. */
function shapeOfFields(fields: SettingFields): Shape {
  return Object.fromEntries(Object.entries(fields).map(([name, definition]) => [`${name}?`, shapeOfOne(definition)]));
}

function shapeOfOne(definition: Setting | SettingGroup): Shape {
  switch (definition.kind) {
    case "group":
      return shapeOfFields(definition.fields);
    case "choice":
      return { words: Object.fromEntries(definition.words.map((word) => [word, 1])) };
    case "flag":
      return "boolean";
    case "number":
    case "span":
      return "number";
    default:
      return assertNever(definition, "kind of setting");
  }
}
