/**
 * One connection to the service's events, from the handshake to its end. It ends for one of three reasons: the service closes
 * it, nothing is heard for too long, or we close it. It never comes back; whoever wants that makes another one.
 */
import type { Socket } from "node:net";
import { buildConnector, Client, ping, WebSocket } from "undici";
import type { Cancellable, Clock } from "../../shared/clock.ts";
import { ParallelsError } from "./api.ts";
import type { Pass } from "./authentication.ts";

export interface EventSocketOptions {
  /** Such as `http://127.0.0.1:3080`. */
  readonly origin: string;
  /** With the query. */
  readonly path: string;
  readonly pass: Pass;
  readonly clock: Clock;
  /** The first message is there, or the service was silent after the handshake for a while: events flow from now on. */
  readonly onReady: () => void;
  /** @returns whether it was the answer to a ping of ours. */
  readonly onMessage: (text: string) => boolean;
  /** Called once, also when we close; nothing is called after it. */
  readonly onEnd: (error: ParallelsError) => void;
}

/** From the begin of the connection to the end of the handshake. */
const handshakeLimitMs = 15_000;

/** The service greets at once; one that does not is taken as it is. */
const greetingLimitMs = 3000;

/** How often we ping. The service itself pings every 30 s. */
const pingPeriodMs = 15_000;

/** More than two of our pings, or a whole period of the service's and half of another. */
const silenceLimitMs = 45_000;

/** A VM's event holds the whole VM, some kB; more than this is not an event of this service. */
const messageBytesMax = 8 * 2 ** 20;

export class EventSocket {
  readonly #options: EventSocketOptions;
  readonly #client: Client;
  readonly #webSocket: WebSocket;
  #socket: Socket | undefined;
  #timer: Cancellable;
  #heardAtMs: number;
  #bytesRead = 0;
  #pingCount = 0;
  #isAnsweringPings = false;
  #isReady = false;
  #hasEnded = false;

  constructor(options: EventSocketOptions) {
    this.#options = options;
    const { origin, path, pass, clock } = options;
    this.#heardAtMs = clock.monotonicMs();
    this.#client = new Client(origin, {
      allowH2: false,
      connect: this.#makeConnector(),
      webSocket: { maxPayloadSize: messageBytesMax },
    });
    const url = origin.replace(/^http/, "ws") + path;
    this.#webSocket = new WebSocket(url, { dispatcher: this.#client, headers: { ...pass.headers } });
    this.#webSocket.addEventListener("open", () => this.#open());
    this.#webSocket.addEventListener("message", ({ data }) => this.#hear(data));
    this.#webSocket.addEventListener("close", ({ code }) =>
      this.#end(`the service closed the connection for events (${code})`),
    );
    // An error is always followed by a close, which ends this; without a listener it would be lost all the same.
    this.#timer = clock.after(handshakeLimitMs, () => this.#end("the connection for events was not made in time"));
  }

  /** Ends the connection; doing so twice is harmless. */
  close(): void {
    this.#end("the connection for events was closed by the agent");
  }

  #open(): void {
    this.#heardAtMs = this.#options.clock.monotonicMs();
    this.#setTimer(greetingLimitMs, () => this.#becomeReady());
  }

  #becomeReady(): void {
    if (this.#isReady || this.#hasEnded) return;
    this.#isReady = true;
    this.#bytesRead = this.#socket?.bytesRead ?? 0;
    this.#setTimer(pingPeriodMs, () => this.#watch());
    this.#options.onReady();
  }

  #hear(data: unknown): void {
    if (this.#hasEnded) return;
    this.#heardAtMs = this.#options.clock.monotonicMs();
    this.#becomeReady();
    if (typeof data === "string" && this.#options.onMessage(data)) this.#isAnsweringPings = true;
  }

  /**
   * Two pings: one of WebSocket, which every version answers but which proves no more than that the process is there, and one
   * in the protocol of events. Once the latter has been answered, nothing less than a message is a sign of life.
   */
  #watch(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const bytesRead = this.#socket?.bytesRead ?? 0;
    if (bytesRead > this.#bytesRead && !this.#isAnsweringPings) this.#heardAtMs = nowMs;
    this.#bytesRead = bytesRead;
    if (nowMs - this.#heardAtMs >= silenceLimitMs) {
      this.#end("the connection for events has gone silent");
      return;
    }
    this.#pingCount += 1;
    ping(this.#webSocket);
    this.#webSocket.send(JSON.stringify({ event_type: "health", message: "ping", id: `ping-${this.#pingCount}` }));
    this.#setTimer(pingPeriodMs, () => this.#watch());
  }

  #setTimer(delayMs: number, action: () => void): void {
    this.#timer.cancel();
    this.#timer = this.#options.clock.after(delayMs, action);
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#timer.cancel();
    this.#webSocket.close();
    // The WebSocket would wait for the other side's farewell, which a dead one never says.
    this.#socket?.destroySoon();
    void this.#client.destroy();
    this.#options.onEnd(new ParallelsError("unreachable", reason));
  }

  /** As undici's own connector, but we keep the socket. */
  #makeConnector(): buildConnector.connector {
    const connect = buildConnector({ timeout: handshakeLimitMs, allowH2: false });
    return (options, callback) =>
      connect(options, (...result) => {
        const [, socket] = result;
        if (socket !== null) this.#socket = socket;
        if (this.#hasEnded) socket?.destroy();
        callback(...result);
      });
  }
}
