/**
 * What all records of the journal come to: the commands that are under way, what is known of those that ended, the highest
 * epoch and generations, and the leases. A value without I/O; `journal.ts` makes it durable. Applying the records of a
 * `snapshot` to an empty state gives the same state.
 */
import { assertNever } from "../../shared/assert.ts";
import {
  type Command,
  type CommandUpdate,
  CommandUpdate_State,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { JournalRecord, LeaseRecord, MomentRecord, RunRecord } from "./journal-record.ts";

export interface JournalBounds {
  /** Ended and acknowledged commands that are kept to answer repetitions. A server repeats what it sent in the session before,
   * so the last few hundred are ample. */
  readonly settledMax: number;
  /** VMs whose generation is remembered; the ones seen longest ago are forgotten first. */
  readonly generationsMax: number;
}

export const defaultJournalBounds: JournalBounds = { settledMax: 512, generationsMax: 4_096 };

/** A command that was taken on and has not ended. */
export interface OpenCommand {
  readonly command: Command;
  /** The last step that was begun of those that must not be done twice; empty if none was. */
  readonly step: string;
}

export class JournalState {
  readonly #bounds: JournalBounds;
  readonly #open = new Map<string, OpenCommand>();
  readonly #unsettled = new Map<string, CommandUpdate>();
  readonly #settled = new Map<string, CommandUpdate>();
  readonly #generations = new Map<string, number>();
  readonly #leases = new Map<string, LeaseRecord>();
  #epoch = 0;
  #run: RunRecord | undefined;
  #moment: MomentRecord | undefined;

  constructor(bounds: JournalBounds = defaultJournalBounds) {
    this.#bounds = bounds;
  }

  get open(): ReadonlyMap<string, OpenCommand> {
    return this.#open;
  }

  /** Commands that have not ended, or whose end the server has not acknowledged, oldest first. */
  get unsettled(): ReadonlyMap<string, CommandUpdate> {
    return this.#unsettled;
  }

  /** By the VM's name on the host. */
  get leases(): ReadonlyMap<string, LeaseRecord> {
    return this.#leases;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** The agent's last start; nothing if none was counted. */
  get run(): RunRecord | undefined {
    return this.#run;
  }

  /** The last moment at which the Mac is known to have been up. */
  get moment(): MomentRecord | undefined {
    return this.#moment;
  }

  find(commandId: string): CommandUpdate | undefined {
    return this.#unsettled.get(commandId) ?? this.#settled.get(commandId);
  }

  generationOf(vmUid: string): number | undefined {
    return this.#generations.get(vmUid);
  }

  apply(record: JournalRecord): void {
    switch (record.kind) {
      case "command":
        this.#open.set(record.command.id, { command: record.command, step: record.step });
        break;
      case "update":
        this.#unsettled.set(record.update.commandId, record.update);
        if (hasEnded(record.update)) this.#open.delete(record.update.commandId);
        break;
      case "step": {
        const open = this.#open.get(record.commandId);
        if (open !== undefined) this.#open.set(record.commandId, { ...open, step: record.step });
        break;
      }
      case "settled":
        this.#settle(record.commandId);
        break;
      case "forgotten":
        this.#open.delete(record.commandId);
        this.#unsettled.delete(record.commandId);
        break;
      case "generation": {
        const highest = Math.max(record.generation, this.#generations.get(record.vmUid) ?? record.generation);
        putBounded(this.#generations, [record.vmUid, highest], this.#bounds.generationsMax);
        break;
      }
      case "epoch":
        this.#epoch = Math.max(this.#epoch, record.epoch);
        break;
      case "run":
        this.#run = record;
        break;
      case "lease":
        this.#leases.set(record.hostVmName, record);
        break;
      case "lease-dropped":
        this.#leases.delete(record.hostVmName);
        break;
      case "moment":
        this.#moment = record;
        break;
      default:
        assertNever(record, "record of the journal");
    }
  }

  /** The fewest records that say all of this. */
  snapshot(): readonly JournalRecord[] {
    const records: JournalRecord[] = [{ kind: "epoch", epoch: this.#epoch }];
    for (const [vmUid, generation] of this.#generations) records.push({ kind: "generation", vmUid, generation });
    for (const update of this.#settled.values()) {
      records.push({ kind: "update", update }, { kind: "settled", commandId: update.commandId });
    }
    for (const update of this.#unsettled.values()) records.push({ kind: "update", update });
    for (const { command, step } of this.#open.values()) records.push({ kind: "command", command, step });
    if (this.#run !== undefined) records.push(this.#run);
    if (this.#moment !== undefined) records.push(this.#moment);
    records.push(...this.#leases.values());
    return records;
  }

  #settle(commandId: string): void {
    const update = this.#unsettled.get(commandId);
    if (update === undefined || !hasEnded(update)) return;
    this.#unsettled.delete(commandId);
    putBounded(this.#settled, [commandId, withoutOutput(update)], this.#bounds.settledMax);
  }
}

export function hasEnded(update: CommandUpdate): boolean {
  return (
    update.state === CommandUpdate_State.STATE_SUCCEEDED ||
    update.state === CommandUpdate_State.STATE_FAILED ||
    update.state === CommandUpdate_State.STATE_REFUSED
  );
}

/** The server has what a command wrote, so hundreds of outputs need not be kept. */
function withoutOutput(update: CommandUpdate): CommandUpdate {
  if (update.exec === undefined) return update;
  return { ...update, exec: { ...update.exec, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) } };
}

/** Puts the entry last and forgets the first when there are too many. */
function putBounded<Value>(map: Map<string, Value>, [key, value]: readonly [string, Value], entriesMax: number): void {
  map.delete(key);
  map.set(key, value);
  const first = map.keys().next();
  if (map.size > entriesMax && first.done !== true) map.delete(first.value);
}
