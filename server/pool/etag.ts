/** Etags: opaque to clients, changed by every durable change of a resource. */
import type { Uid } from "../../shared/ids.ts";

export function etagOf(record: { readonly uid: Uid; readonly revision: number }): string {
  return `"${record.uid.slice(0, 8)}-${record.revision.toString(36)}"`;
}
