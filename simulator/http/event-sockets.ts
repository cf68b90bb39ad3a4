/**
 * The event socket: each listener gets the types that it asked for, from the moment when it connected; nothing is replayed.
 * Messages are collected and written every tenth of a second; a listener that does not read loses the oldest. A ping goes
 * out every 30 s and must be answered within 45 s.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Cancellable } from "../../shared/clock.ts";
import type { SimulatedMac } from "../mac.ts";
import type { MacEvent } from "../mac-events.ts";
import type { Random } from "../random.ts";
import { isFields, text } from "./fields.ts";
import { type EventContent, type EventType, eventTypes, toEnvelope, toEventContent } from "./wire-event.ts";

const pingPeriodMs = 30_000;
const pongLimitMs = 45_000;
/** Messages kept for one listener. */
const queueLengthMax = 2_048;
/** Listeners at once; the real service has no bound, and an agent needs one. */
const listenerCountMax = 100;
/** What a listener may send at once, in bytes. */
const messageSizeMax = 64 * 1_024;

export class EventSockets {
  readonly #mac: SimulatedMac;
  readonly #random: Random;
  // Pings of the other side are answered here, so that a silent service can leave them unanswered.
  readonly #server = new WebSocketServer({ noServer: true, autoPong: false, maxPayload: messageSizeMax });
  readonly #listeners = new Set<EventListener>();
  readonly #unsubscribe: () => void;

  constructor(mac: SimulatedMac, random: Random) {
    this.#mac = mac;
    this.#random = random;
    this.#unsubscribe = mac.events.subscribe((event) => this.#tell(event));
  }

  get isFull(): boolean {
    return this.#listeners.size >= listenerCountMax;
  }

  /** Takes over a connection whose caller was let in. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const asked = new URL(request.url ?? "/", "http://localhost").searchParams.get("event_types") ?? "";
    const types = eventTypes.filter((type) => asked.split(",").includes(type));
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const listener = new EventListener(webSocket, {
        mac: this.#mac,
        random: this.#random,
        types: new Set([...types, "global"]),
      });
      this.#listeners.add(listener);
      webSocket.on("close", () => {
        listener.close();
        this.#listeners.delete(listener);
      });
      listener.greet();
    });
  }

  /** Cuts every connection. */
  dropAll(): void {
    for (const listener of this.#listeners) listener.close();
  }

  close(): void {
    this.#unsubscribe();
    this.dropAll();
    this.#server.close();
  }

  #tell(event: MacEvent): void {
    if (this.#listeners.size === 0) return;
    const content = toEventContent(event, this.#mac);
    if (content === undefined) return;
    for (const listener of this.#listeners) listener.push(content);
  }
}

interface EventListenerOptions {
  readonly mac: SimulatedMac;
  readonly random: Random;
  readonly types: ReadonlySet<EventType>;
}

class EventListener {
  readonly #socket: WebSocket;
  readonly #mac: SimulatedMac;
  readonly #random: Random;
  readonly #types: ReadonlySet<EventType>;
  readonly #clientId: string;
  #queue: string[] = [];
  #flush: Cancellable | undefined;
  #ping: Cancellable | undefined;
  #pongLimit: Cancellable | undefined;

  constructor(socket: WebSocket, { mac, random, types }: EventListenerOptions) {
    this.#socket = socket;
    this.#mac = mac;
    this.#random = random;
    this.#types = types;
    this.#clientId = random.uuid();
    socket.on("message", (data: Buffer) => this.#answer(data.toString()));
    socket.on("ping", (data) => {
      if (!this.#isSilent) socket.pong(data);
    });
    socket.on("pong", () => {
      this.#pongLimit?.cancel();
      this.#pongLimit = undefined;
    });
    // A close follows, which is all that matters.
    socket.on("error", () => {});
    this.#schedulePing();
  }

  greet(): void {
    const body = { client_id: this.#clientId, subscriptions: [...this.#types] };
    const message = "WebSocket connection established subscribed to global by default";
    this.push({ eventType: "global", message, body });
  }

  push(content: EventContent): void {
    if (this.#isSilent || !this.#types.has(content.eventType)) return;
    this.#queue.push(this.#wrap(content));
    if (this.#queue.length > queueLengthMax) this.#queue.shift();
    if (this.#flush !== undefined) return;
    const flushMs = this.#mac.faults.draw("eventFlush");
    if (flushMs <= 0) this.#write();
    else this.#flush = this.#mac.clock.after(flushMs, () => this.#write());
  }

  close(): void {
    for (const timer of [this.#flush, this.#ping, this.#pongLimit]) timer?.cancel();
    this.#socket.terminate();
  }

  get #isSilent(): boolean {
    return this.#mac.faults.areEventsSilent;
  }

  #wrap(content: EventContent): string {
    return toEnvelope(content, { id: this.#random.uuid(), wallMs: this.#mac.clock.wallMs() });
  }

  #write(): void {
    this.#flush = undefined;
    const queue = this.#queue;
    this.#queue = [];
    if (this.#isSilent) return;
    for (const message of queue) this.#socket.send(message);
  }

  #schedulePing(): void {
    const { clock } = this.#mac;
    this.#ping = clock.after(pingPeriodMs, () => {
      this.#schedulePing();
      if (this.#isSilent) return;
      this.#socket.ping();
      // An earlier ping that is not answered yet goes on counting.
      this.#pongLimit ??= clock.after(pongLimitMs, () => this.close());
    });
  }

  /** The health service answers pings that are messages. */
  #answer(message: string): void {
    const fields = parse(message);
    if (!isFields(fields) || fields["event_type"] !== "health" || fields["message"] !== "ping") return;
    if (this.#isSilent) return;
    const pong: EventContent = { eventType: "health", message: "pong", refId: text(fields, "id") };
    this.#socket.send(this.#wrap(pong));
  }
}

function parse(message: string): unknown {
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}
