/** Which fields of a spec a change gave another value, as clients name them. */

/** Paths with dots, such as `lease_duration` and `resources.cpu_count`, in the order of the records; maps are named as a whole. */
export function changedFields(before: object, after: object): string[] {
  return [...pathsOf(before as Fields, after as Fields, "")];
}

type Fields = Readonly<Record<string, unknown>>;

function* pathsOf(before: Fields, after: Fields, prefix: string): Generator<string> {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const was = before[name];
    const is = after[name];
    if (was === is || JSON.stringify(was) === JSON.stringify(is)) continue;
    const path = prefix + fieldName(name);
    if (mapNames.has(name) || !isGroup(was ?? {}) || !isGroup(is ?? {})) yield path;
    else yield* pathsOf((was ?? {}) as Fields, (is ?? {}) as Fields, `${path}.`);
  }
}

/** Their keys are the clients' own words, and may say more than the field's name does. */
const mapNames: ReadonlySet<string> = new Set(["labels", "annotations"]);

function isGroup(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Records have the unit of a time in its name, and "is" before a flag; the protocol has neither. */
function fieldName(name: string): string {
  const bare = name.replace(/Ms$/, "").replace(/^is([A-Z])/, (_, first: string) => first.toLowerCase());
  return bare.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
