/** The ids of direct calls: random, behind a word with which no command of the pool's begins. */
import { asCommandId, type CommandId, type IdSource } from "../../shared/ids.ts";

const prefix = "call-";

export function newCallId(ids: IdSource): CommandId {
  return asCommandId(`${prefix}${ids.uid()}`);
}

/** Whether an id is that of a call, of this server or of one before it. */
export function isCallId(id: string): boolean {
  return id.startsWith(prefix);
}
