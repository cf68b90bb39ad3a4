/** Resource names: people may leave the collection out, the wire never does. */
import { wrongUsage } from "../failure.ts";

const collections = [
  "hosts",
  "vms",
  "templates",
  "catalogs",
  "projects",
  "joinTokens",
  "serviceAccounts",
  "tokens",
  "issuers",
] as const;
export type Collection = (typeof collections)[number];

/** `build-1` and `vms/build-1` both become `vms/build-1`. */
export function resourceName(collection: Collection, text: string): string {
  const prefix = `${collection}/`;
  if (text === "" || text === prefix) throw wrongUsage(`a name in ${collection} must not be empty`);
  if (text.startsWith(prefix)) return text;
  const other = collections.find((name) => text.startsWith(`${name}/`));
  if (other !== undefined) throw wrongUsage(`${text} stands in ${other}, but a name in ${collection} is wanted here`);
  return prefix + text;
}

/** `vms/build-1` without its collection. */
export function shortName(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}
