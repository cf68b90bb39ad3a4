/**
 * One session with one server: dial, Hello, Welcome, then both speak until one of them leaves. Only the Welcome proves a
 * connection, and it has a deadline. Nothing but the Hello is sent before it, since the server would ignore it.
 */
import { assertNever } from "../../shared/assert.ts";
import type { Cancellable, Clock } from "../../shared/clock.ts";
import type {
  CommandUpdate,
  ConnectResponse,
  Goodbye,
  Settings,
  Welcome,
} from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { LinkSource, SessionRefusal } from "./link-source.ts";
import { Outbox } from "./outbox.ts";
import type { LinkStream, LinkTransport } from "./transport.ts";

export interface SessionTuning {
  /** How long the Welcome may take from the dial on, in ms. Default 10,000. */
  readonly welcomeLimitMs: number;
  /** How long the server may take to end the stream after our Goodbye, in ms. Default 1,000. */
  readonly goodbyeLimitMs: number;
}

export const defaultSessionTuning: SessionTuning = { welcomeLimitMs: 10_000, goodbyeLimitMs: 1_000 };

export interface SessionOptions {
  readonly address: string;
  readonly transport: LinkTransport;
  readonly clock: Clock;
  readonly source: LinkSource;
  readonly tuning: SessionTuning;
  /** The server has welcomed the agent, and the source has not refused it. */
  readonly onOpen: (welcome: Welcome) => void;
}

export interface SessionEnd {
  /** Why, as one CamelCase word. */
  readonly reason: string;
  /** Why, as a sentence. */
  readonly message: string;
  /** What the server said when it ended the session. */
  readonly goodbye?: Goodbye;
  /** How long the session was open, in ms; nothing if it never was. */
  readonly heldMs?: number;
}

/** Bounds on the heartbeat's period, against a server that says nonsense, in ms. */
const heartbeatPeriodMs = { min: 100, default: 10_000, max: 300_000 } as const;

export class Session {
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #ended = Promise.withResolvers<SessionEnd>();
  readonly #stream: LinkStream;
  readonly #welcomeTimer: Cancellable;
  #welcomedAtMs: number | undefined;
  #periodMs: number = heartbeatPeriodMs.default;
  #heartbeatTimer: Cancellable | undefined;
  #goodbyeTimer: Cancellable | undefined;
  #isSlow = false;
  #isFlushDue = false;
  #state: "open" | "leaving" | "over" = "open";

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#outbox = new Outbox(options.source);
    this.#welcomeTimer = options.clock.after(options.tuning.welcomeLimitMs, () => {
      this.#end({
        reason: "NoWelcome",
        message: `The server did not welcome the agent within ${options.tuning.welcomeLimitMs} ms.`,
      });
    });
    this.#stream = options.transport.open(options.address, {
      onMessage: (message) => this.#receive(message),
      onWritable: () => {
        this.#isSlow = false;
        this.#flush();
      },
      onEnd: (error) => this.#onStreamEnd(error),
    });
    this.#stream.write(this.#outbox.hello());
  }

  /** Why the session ended, once it has. Never rejects. */
  get ended(): Promise<SessionEnd> {
    return this.#ended.promise;
  }

  sendUpdate(update: CommandUpdate): void {
    this.#outbox.addUpdate(update);
    if (this.#outbox.isOverfull) {
      this.#end({ reason: "TooSlow", message: "The server sends commands and does not take the answers." });
    }
    this.#flushSoon();
  }

  sendHeartbeat(): void {
    this.#outbox.addHeartbeat();
    this.#flushSoon();
  }

  /** There is an inventory to be taken. */
  sendInventory(): void {
    this.#flushSoon();
  }

  /** Says Goodbye, gives the server a moment to end the stream, and lets go. Twice is harmless. */
  leave(reason: string, message: string): void {
    if (this.#state !== "open") return;
    if (this.#welcomedAtMs === undefined) {
      this.#end({ reason, message });
      return;
    }
    this.#flush();
    this.#sayGoodbye({ reason, message });
  }

  /** The last word; what has not been sent stays unsent. */
  #sayGoodbye(end: SessionRefusal): void {
    const { reason, message } = end;
    this.#state = "leaving";
    this.#stream.write(this.#outbox.goodbye(reason, message));
    this.#stream.end();
    this.#goodbyeTimer = this.#options.clock.after(this.#options.tuning.goodbyeLimitMs, () => this.#end(end));
  }

  #receive(message: ConnectResponse): void {
    if (this.#state === "over") return;
    this.#outbox.acknowledge(message.acknowledged);
    const { payload } = message;
    if (payload?.$case === "welcome") this.#onWelcome(payload.welcome);
    else if (payload?.$case === "goodbye") this.#onGoodbye(payload.goodbye);
    else if (this.#welcomedAtMs !== undefined && this.#state === "open") this.#dispatch(payload);
  }

  #dispatch(payload: ConnectResponse["payload"]): void {
    const { source } = this.#options;
    switch (payload?.$case) {
      case "command":
        source.onCommand(payload.command);
        break;
      case "cancelCommand":
        source.onCancel(payload.cancelCommand.commandId, payload.cancelCommand.reason);
        break;
      case "leases":
        source.onLeases(payload.leases);
        break;
      case "sendInventory":
        source.onSendInventory(payload.sendInventory.reason);
        this.#flushSoon();
        break;
      case "settings":
        this.#takeSettings(payload.settings);
        break;
      case "certificateNotice":
        source.onCertificateNotice(payload.certificateNotice);
        break;
      case "welcome":
      case "goodbye":
      case undefined:
        break;
      default:
        assertNever(payload, "message of the server");
    }
  }

  #onWelcome(welcome: Welcome): void {
    if (this.#welcomedAtMs !== undefined || this.#state !== "open") return;
    this.#welcomeTimer.cancel();
    this.#welcomedAtMs = this.#options.clock.monotonicMs();
    const refusal = this.#options.source.onWelcome(welcome);
    if (refusal !== undefined) {
      this.#sayGoodbye(refusal);
      return;
    }
    this.#options.onOpen(welcome);
    if (welcome.settings !== undefined) this.#takeSettings(welcome.settings);
    else this.#beat();
    this.#flushSoon();
  }

  #onGoodbye(goodbye: Goodbye): void {
    this.#end({ reason: goodbye.reason === "" ? "ServerLeft" : goodbye.reason, message: goodbye.message, goodbye });
  }

  #onStreamEnd(error: Error | undefined): void {
    const message = error === undefined ? "The server ended the stream." : error.message;
    this.#end({ reason: error === undefined ? "StreamEnded" : "StreamBroke", message });
  }

  #takeSettings(settings: Settings): void {
    this.#options.source.onSettings(settings);
    const { min, default: usual, max } = heartbeatPeriodMs;
    const periodMs = settings.heartbeatPeriodMs > 0 ? settings.heartbeatPeriodMs : usual;
    this.#periodMs = Math.min(max, Math.max(min, periodMs));
    this.#beat();
  }

  /** Heartbeats from now on, at the present period. */
  #beat(): void {
    this.#heartbeatTimer?.cancel();
    this.#heartbeatTimer = this.#options.clock.after(this.#periodMs, () => {
      this.sendHeartbeat();
      this.#beat();
    });
  }

  /** At the end of the present turn of the event loop, so that what comes together goes together. */
  #flushSoon(): void {
    if (this.#isFlushDue || this.#isSlow || this.#state !== "open" || this.#welcomedAtMs === undefined) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#isSlow && this.#state === "open" && this.#welcomedAtMs !== undefined) {
      const message = this.#outbox.next();
      if (message === undefined) return;
      this.#isSlow = !this.#stream.write(message);
    }
  }

  #end(end: SessionEnd): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#welcomeTimer.cancel();
    this.#heartbeatTimer?.cancel();
    this.#goodbyeTimer?.cancel();
    this.#stream.destroy();
    const { clock } = this.#options;
    const held = this.#welcomedAtMs === undefined ? {} : { heldMs: clock.monotonicMs() - this.#welcomedAtMs };
    this.#ended.resolve({ ...end, ...held });
  }
}
