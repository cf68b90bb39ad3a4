/**
 * What waits for room on a session's stream. Updates of one command are one update, the last; an inventory and a heartbeat are
 * made when there is room for them. So a server that does not read costs memory for its own commands and no more. Ends of
 * commands are watched until the server acknowledges the number of the message that carried them.
 */
import type { CommandUpdate, ConnectRequest, Hello } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import { hasEnded } from "../journal/journal-state.ts";
import type { LinkSource } from "./link-source.ts";

/** Commands whose updates may wait. The agent takes on fewer; the rest are refusals of a server that floods. */
const waitingUpdatesMax = 2_048;

export class Outbox {
  readonly #source: LinkSource;
  readonly #updates = new Map<string, CommandUpdate>();
  /** Ends on their way: by which message each was sent. */
  readonly #unacknowledged = new Map<string, number>();
  #isHeartbeatDue = false;
  #sequence = 0;

  constructor(source: LinkSource) {
    this.#source = source;
  }

  /** Whether the server has made more commands than it takes answers for: the session is of no use any more. */
  get isOverfull(): boolean {
    return this.#updates.size > waitingUpdatesMax;
  }

  addUpdate(update: CommandUpdate): void {
    this.#updates.set(update.commandId, update);
  }

  addHeartbeat(): void {
    this.#isHeartbeatDue = true;
  }

  /** The first message; the ends in it are watched as well. */
  hello(): ConnectRequest {
    const hello = this.#source.hello();
    const message = this.#message({ $case: "hello", hello });
    this.#watchEnds(hello);
    return message;
  }

  /** A last message. */
  goodbye(reason: string, message: string): ConnectRequest {
    return this.#message({ $case: "goodbye", goodbye: { reason, message, retryAfterMs: 0 } });
  }

  /** The next message, or nothing. What was seen on the Mac goes before what was said about a command, so that the server
   * knows a VM before it hears that it is ready; what such an update tells of a VM that is another by now is put right after
   * it. */
  next(): ConnectRequest | undefined {
    const inventory = this.#source.takeInventory();
    if (inventory !== undefined) return this.#message({ $case: "inventory", inventory });
    for (const [commandId, commandUpdate] of this.#updates) {
      this.#updates.delete(commandId);
      const message = this.#message({ $case: "commandUpdate", commandUpdate });
      this.#source.onUpdateSent(commandUpdate);
      if (hasEnded(commandUpdate)) this.#unacknowledged.set(commandId, message.sequence);
      return message;
    }
    if (!this.#isHeartbeatDue) return undefined;
    this.#isHeartbeatDue = false;
    return this.#message({ $case: "heartbeat", heartbeat: this.#source.heartbeat() });
  }

  /** The server has made everything up to this message durable. */
  acknowledge(sequence: number): void {
    for (const [commandId, sentAs] of this.#unacknowledged) {
      if (sentAs > sequence) continue;
      this.#unacknowledged.delete(commandId);
      this.#source.onAcknowledged(commandId);
    }
  }

  #watchEnds(hello: Hello): void {
    for (const update of hello.commands)
      if (hasEnded(update)) this.#unacknowledged.set(update.commandId, this.#sequence);
  }

  #message(payload: ConnectRequest["payload"]): ConnectRequest {
    this.#sequence += 1;
    return { sequence: this.#sequence, payload };
  }
}
