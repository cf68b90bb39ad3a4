/** How a certificate names the host that it speaks for, and the pool: as a URI among its alternative names. */
import { asHostId, type HostId, hostIdPattern } from "../ids.ts";

export function hostUri(poolUid: string, host: HostId): string {
  return `meridian://${poolUid}/hosts/${host}`;
}

/**
 * The host of a certificate of this pool, or nothing if it speaks for none.
 * @param alternativeNames as Node tells them: `URI:meridian://…`, and others separated by commas.
 */
export function hostOfNames(alternativeNames: string | undefined, poolUid: string): HostId | undefined {
  const start = `URI:meridian://${poolUid}/hosts/`;
  // A certificate of ours has this one name. One with several is not ours, whatever they are.
  if (alternativeNames?.startsWith(start) !== true) return undefined;
  const id = alternativeNames.slice(start.length);
  return hostIdPattern.test(id) ? asHostId(id) : undefined;
}
