/**
 * Where commands are remembered: which were seen, how each is doing, how each ended, and whether the server knows. It makes a
 * repeated command a question instead of a second deed, and it is what the Hello tells of. This one lives in memory and is
 * lost with the agent; the interface leaves room for a journal on disk.
 */
import { type CommandUpdate, CommandUpdate_State } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export interface CommandMemory {
  /** The last update of a command that was accepted, or nothing if it is not (or no longer) remembered. */
  find(commandId: string): CommandUpdate | undefined;
  /** Remembers how a command is doing; the first update of a command is its acceptance. */
  record(update: CommandUpdate): void;
  /** The server has made the command's end durable. */
  acknowledge(commandId: string): void;
  /** Commands that have not ended, or whose end the server has not acknowledged, oldest first. */
  unsettled(): readonly CommandUpdate[];
  /** The highest generation that was seen for a VM of the pool; nothing if none was. */
  generationOf(vmUid: string): number | undefined;
  /** Remembers that a generation was seen. */
  noteGeneration(vmUid: string, generation: number): void;
}

export function hasEnded(update: CommandUpdate): boolean {
  return (
    update.state === CommandUpdate_State.STATE_SUCCEEDED ||
    update.state === CommandUpdate_State.STATE_FAILED ||
    update.state === CommandUpdate_State.STATE_REFUSED
  );
}

export interface CommandMemoryBounds {
  /** Ended and acknowledged commands that are kept to answer repetitions. A server repeats what it sent in the session before,
   * so the last few hundred are ample. */
  readonly settledMax: number;
  /** VMs whose generation is remembered; the ones seen longest ago are forgotten first. */
  readonly generationsMax: number;
}

const defaultBounds: CommandMemoryBounds = { settledMax: 512, generationsMax: 4_096 };

export function createCommandMemory(bounds: CommandMemoryBounds = defaultBounds): CommandMemory {
  const unsettled = new Map<string, CommandUpdate>();
  const settled = new Map<string, CommandUpdate>();
  const generations = new Map<string, number>();
  return {
    find: (commandId) => unsettled.get(commandId) ?? settled.get(commandId),
    record: (update) => {
      unsettled.set(update.commandId, update);
    },
    acknowledge: (commandId) => {
      const update = unsettled.get(commandId);
      if (update === undefined || !hasEnded(update)) return;
      unsettled.delete(commandId);
      putBounded(settled, commandId, update, bounds.settledMax);
    },
    unsettled: () => [...unsettled.values()],
    generationOf: (vmUid) => generations.get(vmUid),
    noteGeneration: (vmUid, generation) => {
      putBounded(generations, vmUid, Math.max(generation, generations.get(vmUid) ?? generation), bounds.generationsMax);
    },
  };
}

/** Puts the entry last and forgets the first when there are too many. */
function putBounded<Value>(map: Map<string, Value>, key: string, value: Value, entriesMax: number): void {
  map.delete(key);
  map.set(key, value);
  const first = map.keys().next();
  if (map.size > entriesMax && first.done !== true) map.delete(first.value);
}
