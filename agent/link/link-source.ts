/** What the link carries: the agent answers with what is true at the moment of sending, so that nothing stale waits in a queue. */
import type {
  Command,
  Heartbeat,
  Hello,
  Inventory,
  Settings,
  Welcome,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export interface LinkSource {
  /** The Hello of a new session. From then on inventories go on from the one in it. */
  hello(): Hello;
  /** A sign of life. */
  heartbeat(): Heartbeat;
  /** The next inventory, if there is something to tell; it counts as sent. */
  takeInventory(): Inventory | undefined;
  onWelcome(welcome: Welcome): void;
  onSettings(settings: Settings): void;
  onCommand(command: Command): void;
  onCancel(commandId: string, reason: string): void;
  /** The server wants a whole inventory. */
  onSendInventory(reason: string): void;
  /** The server has made the end of this command durable. */
  onAcknowledged(commandId: string): void;
}
