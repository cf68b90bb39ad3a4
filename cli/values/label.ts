/** Labels and annotations as flags: key=value, again and again or with commas between. */
import { InvalidArgumentError } from "@commander-js/extra-typings";

export type Labels = Readonly<Record<string, string>>;

/** Adds one key=value to those before it. */
export function collectLabel(text: string, previous?: Labels): Labels {
  const separator = text.indexOf("=");
  if (separator <= 0) throw new InvalidArgumentError("Write key=value.");
  return { ...previous, [text.slice(0, separator)]: text.slice(separator + 1) };
}

/** What `host label` is to do. */
export interface LabelChanges {
  readonly set: Labels;
  readonly removed: readonly string[];
}

/** Understands key=value (set) and key- (remove). */
export function parseLabelChanges(texts: readonly string[]): LabelChanges {
  const set = new Map<string, string>();
  const removed: string[] = [];
  for (const text of texts) {
    const separator = text.indexOf("=");
    if (separator > 0) set.set(text.slice(0, separator), text.slice(separator + 1));
    else if (separator < 0 && text.length > 1 && text.endsWith("-")) removed.push(text.slice(0, -1));
    else throw new InvalidArgumentError(`${text}: write key=value to set a label, key- to remove one.`);
  }
  // As own fields, whatever they are called.
  return { set: Object.fromEntries(set), removed };
}

/** Labels in the order of their keys: a=1,b=2. */
export function formatLabels(labels: Labels): string {
  const entries = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, value]) => `${key}=${value}`).join(",");
}
