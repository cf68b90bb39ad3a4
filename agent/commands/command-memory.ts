/**
 * Where commands are remembered: which were seen, how each is doing, how each ended, and whether the server knows. It makes a
 * repeated command a question instead of a second deed, it is what the Hello tells of, and it is what a later run of the
 * agent goes on from. An end is shown only once it is durable: a later run that does not know of it does the command again, and
 * that may end in another way. What is remembered stands in the journal; how durable that is, is the journal's affair.
 */
import type { Command, CommandUpdate } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Journal } from "../journal/journal.ts";
import { hasEnded, type OpenCommand } from "../journal/journal-state.ts";

export interface CommandMemory {
  /** The last update of a command that was accepted, or nothing if it is not (or no longer) remembered. */
  find(commandId: string): CommandUpdate | undefined;
  /** Takes a command on; it may be begun when this resolves. When it rejects, the command is not remembered. */
  accept(command: Command, update: CommandUpdate): Promise<void>;
  /** Remembers how a command is doing; resolves when a crash cannot make it forgotten (but for figures within a step). */
  record(update: CommandUpdate): Promise<void>;
  /**
   * Remembers how a command has ended; resolves when that may be told, however long the disk cannot be written. Until then
   * the command is shown as it was before. Rejects only when the journal is closed.
   * @param onDelayed it takes until the disk can be written again.
   */
  recordEnd(update: CommandUpdate, onDelayed: () => void): Promise<void>;
  /** Remembers that a step is about to be done that must not be done twice; it may be done when this resolves. */
  begin(commandId: string, step: string): Promise<void>;
  /** The server has made the command's end durable. */
  acknowledge(commandId: string): void;
  /** Commands that were accepted and have not ended, oldest first. */
  open(): readonly OpenCommand[];
  /** Commands that have not ended, or whose end the server has not acknowledged, oldest first. */
  unsettled(): readonly CommandUpdate[];
  readonly unsettledCount: number;
  /** The highest generation that was seen for a VM of the pool; nothing if none was. */
  generationOf(vmUid: string): number | undefined;
  /** The highest epoch that a server has opened a session with; 0 if none has. */
  readonly epoch: number;
  /** Remembers that a session of that epoch is open. */
  noteEpoch(epoch: number): void;
}

export function createCommandMemory(journal: Journal): CommandMemory {
  const { state } = journal;
  /** How the commands stood whose ends are not durable yet. */
  const shownBefore = new Map<string, CommandUpdate>();
  let holdsSecrets = [...state.open.values()].some(({ command }) => hasSecrets(command));
  return {
    find: (commandId) => shownBefore.get(commandId) ?? state.find(commandId),
    accept: async (command, update) => {
      const { vmUid, generation } = command;
      holdsSecrets ||= hasSecrets(command);
      try {
        await journal.write(
          { kind: "command", command, step: "" },
          { kind: "update", update },
          ...(vmUid === "" ? [] : [{ kind: "generation", vmUid, generation } as const]),
        );
      } catch (error) {
        journal.note({ kind: "forgotten", commandId: command.id });
        throw error;
      }
    },
    record: async (update) => {
      const before = state.find(update.commandId);
      if (isMereProgress(update, before)) {
        journal.remember({ kind: "update", update });
        return;
      }
      await journal.write({ kind: "update", update });
    },
    recordEnd: async (update, onDelayed) => {
      const before = state.find(update.commandId);
      if (before !== undefined) shownBefore.set(update.commandId, before);
      await journal.keep({ kind: "update", update }, onDelayed);
      shownBefore.delete(update.commandId);
      if (!holdsSecrets || state.open.size > 0) return;
      holdsSecrets = false;
      journal.tidy();
    },
    begin: (commandId, step) => journal.write({ kind: "step", commandId, step }),
    acknowledge: (commandId) => {
      const update = state.unsettled.get(commandId);
      if (update !== undefined && hasEnded(update)) journal.note({ kind: "settled", commandId });
    },
    open: () => [...state.open.values()],
    unsettled: () => [...state.unsettled.values()].map((update) => shownBefore.get(update.commandId) ?? update),
    get unsettledCount() {
      return state.unsettled.size;
    },
    generationOf: (vmUid) => state.generationOf(vmUid),
    get epoch() {
      return state.epoch;
    },
    noteEpoch: (epoch) => {
      if (epoch > state.epoch) journal.note({ kind: "epoch", epoch });
    },
  };
}

/** Within a step only the figures change; after a crash they would be old in any case. */
function isMereProgress(update: CommandUpdate, before: CommandUpdate | undefined): boolean {
  return update.state === before?.state && update.progress?.step === before.progress?.step;
}

/** Whether the command carries what should not stay in a file for longer than it is needed. */
function hasSecrets({ action }: Command): boolean {
  switch (action?.$case) {
    case "create":
      return action.create.source?.$case === "catalog";
    case "prefetchImage":
    case "exec":
      return true;
    default:
      return false;
  }
}
