/** What the link carries: the agent answers with what is true at the moment of sending, so that nothing stale waits in a queue. */
import type {
  CertificateNotice,
  Command,
  CommandUpdate,
  Heartbeat,
  Hello,
  Inventory,
  Leases,
  Settings,
  Welcome,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";

export interface SessionRefusal {
  /** Why, as one CamelCase word. */
  readonly reason: string;
  /** Why, as a sentence. */
  readonly message: string;
}

export interface LinkSource {
  /** The Hello of a new session. From then on inventories go on from the one in it. */
  hello(): Hello;
  /** A sign of life. */
  heartbeat(): Heartbeat;
  /** The next inventory, if there is something to tell; it counts as sent. */
  takeInventory(): Inventory | undefined;
  /** An update of a command is sent; what it says of its VM may be old. Inventories that are taken from now on follow it. */
  onUpdateSent(update: CommandUpdate): void;
  /** Why the session must not go on, if so: the agent then leaves it, and tries again after a pause. */
  onWelcome(welcome: Welcome): SessionRefusal | undefined;
  /** The server takes the newest Hello for one that was held up: the next has to be of a new series. */
  onHelloOutdated(): void;
  onSettings(settings: Settings): void;
  /** When to renew the host's certificate. */
  onCertificateNotice(notice: CertificateNotice): void;
  onCommand(command: Command): void;
  onCancel(commandId: string, reason: string): void;
  onLeases(leases: Leases): void;
  /** The server wants a whole inventory. */
  onSendInventory(reason: string): void;
  /** The server has made the end of this command durable. */
  onAcknowledged(commandId: string): void;
}
