/**
 * What an open session hears. Each message becomes at most one event, in the order in which they came, with the session's
 * epoch; the engine drops what comes under an older one. A refused event is settled all the same: repeating it would only
 * have it refused again.
 */
import { MeridianError } from "../../shared/errors.ts";
import type {
  CommandUpdate,
  ConnectRequest,
  Heartbeat,
  Inventory,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { CommandId, HostId } from "../../shared/ids.ts";
import type { Logger } from "../../shared/log.ts";
import type { EngineApi } from "../engine/engine-api.ts";
import type { CommandReport, CommandReported, HostHeard, HostInventoried } from "../pool/events/host-reports.ts";
import type { PoolEvent } from "../pool/events.ts";
import { type Ending, gone, superseded } from "./endings.ts";
import { readInventory, readReport, readUse } from "./host-messages.ts";
import type { Inbox, Outcome } from "./inbox.ts";
import { InventoryCheck } from "./inventory-check.ts";
import { inventoryWeight, sentenceLengthMax, wordLengthMax } from "./limits.ts";
import { Unacceptable } from "./unacceptable.ts";
import { text } from "./wire-values.ts";

/** The session whose messages they are. */
export interface HeardSession {
  readonly epoch: number;
  /** What the agent may still report of. */
  readonly commands: Map<CommandId, unknown>;
  end(ending: Ending): void;
}

export interface ReceptionOptions {
  readonly session: HeardSession;
  readonly host: HostId;
  /** The number of the inventory in the Hello. */
  readonly inventorySequence: number;
  readonly inbox: Inbox;
  readonly engine: EngineApi;
  readonly log: Logger;
  readonly monotonicMs: () => number;
  /** Asks the agent for a whole inventory. */
  readonly askInventory: (reason: string) => void;
  /** How a call that is no command of the pool's is doing. False: it is none of those. */
  readonly onCallUpdate: (update: CommandUpdate) => boolean;
}

export class Reception {
  private readonly options: ReceptionOptions;
  private readonly inventory: InventoryCheck;
  /** What was logged once in this session and is not logged again. */
  private readonly logged = new Set<string>();

  constructor(options: ReceptionOptions) {
    this.options = options;
    this.inventory = new InventoryCheck(options.inventorySequence, options.askInventory);
  }

  /** False: the message says nothing new. Throws `Unacceptable`. */
  receive({ sequence, payload }: ConnectRequest): boolean {
    const number = this.options.inbox.number(sequence);
    if (number === "repeat") {
      this.logOnce("message repeated", { sequence });
      return false;
    }
    if (number === "gap") {
      this.logOnce("messages missing", { sequence });
      this.inventory.want("messages are missing", this.options.monotonicMs());
    }
    switch (payload?.$case) {
      case "heartbeat":
        this.hearHeartbeat(sequence, payload.heartbeat);
        return true;
      case "inventory":
        this.hearInventory(sequence, payload.inventory);
        return true;
      case "commandUpdate":
        this.hearUpdate(sequence, payload.commandUpdate);
        return true;
      case "goodbye":
        this.hearGoodbye(payload.goodbye.reason, payload.goodbye.message);
        return true;
      case "hello":
        throw new Unacceptable("a second Hello came in one session");
      default:
        // A newer agent says what this server does not know.
        this.settle(sequence);
        return true;
    }
  }

  check(nowMs: number): void {
    this.inventory.repeat(nowMs);
  }

  private hearHeartbeat(sequence: number, heartbeat: Heartbeat): void {
    const { host, session, monotonicMs } = this.options;
    this.inventory.onHeartbeat(heartbeat.inventorySequence, monotonicMs());
    this.submit(sequence, 1, { type: "host-heard", id: host, epoch: session.epoch, use: readUse(heartbeat) });
  }

  private hearInventory(sequence: number, wire: Inventory): void {
    const { host, session, monotonicMs } = this.options;
    const inventory = readInventory(wire);
    if (!this.inventory.onInventory(wire.sequence, wire.whole, monotonicMs())) {
      this.logOnce("inventory repeated", { sequence, inventory_sequence: wire.sequence });
      this.settle(sequence);
      return;
    }
    this.submit(sequence, inventoryWeight, { type: "host-inventoried", id: host, epoch: session.epoch, inventory });
  }

  private hearUpdate(sequence: number, update: CommandUpdate): void {
    const { host, session, onCallUpdate } = this.options;
    const report = onCallUpdate(update) ? undefined : readReport(update);
    if (report === undefined) {
      this.settle(sequence);
      return;
    }
    if (report.state !== "ACCEPTED" && report.state !== "RUNNING") this.noteEnd(report);
    this.submit(sequence, 1, { type: "command-reported", hostId: host, epoch: session.epoch, report });
  }

  private noteEnd({ commandId, state, failure }: CommandReport): void {
    const { session, log } = this.options;
    session.commands.delete(commandId);
    const fields = { command_id: commandId, state };
    if (failure === undefined) log.debug(fields, "command ended");
    else log.info({ ...fields, reason: failure.reason, suspect: failure.suspect }, "command ended");
  }

  private hearGoodbye(reason: string, message: string): void {
    const said = `${text(reason, wordLengthMax)}: ${text(message, sentenceLengthMax)}`;
    this.options.session.end(gone("AgentLeft", said));
  }

  private submit(sequence: number, weight: number, event: HostHeard | HostInventoried | CommandReported): void {
    const outcome = this.options.engine.submit(event).then((isTaken) => this.onReply(event, isTaken), this.onRefusal);
    this.options.inbox.track(sequence, weight, outcome);
  }

  private settle(sequence: number): void {
    this.options.inbox.track(sequence, 1, settled);
  }

  private onReply(event: PoolEvent, isTaken: boolean): Outcome {
    // No VM waits for a command whose end is told twice; of anything else, "not taken" means that the session is void.
    if (isTaken || event.type === "command-reported") return "durable";
    // The registry knows of no newer session; another server may. The agent finds out when it comes back.
    this.options.session.end(superseded(0));
    return "void";
  }

  private readonly onRefusal = (error: unknown): Outcome => {
    if (!(error instanceof MeridianError) || error.code === "UNAVAILABLE" || error.code === "INTERNAL") throw error;
    this.logOnce("message refused", { reason: error.reason, detail: error.message });
    return "durable";
  };

  private logOnce(message: string, fields: object): void {
    if (this.logged.has(message)) return;
    this.logged.add(message);
    this.options.log.warn(fields, message);
  }
}

const settled: Promise<Outcome> = Promise.resolve("durable");
