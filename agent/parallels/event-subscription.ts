/**
 * Listens to the service's events for as long as anybody wants them, over one connection after another. There is no replay,
 * so after each new connection the listener is told to list everything. Waits between attempts grow and are random, and
 * each failed attempt takes the pass with it, since a restarted service refuses it and a WebSocket does not say why.
 */
import type { Logger } from "pino";
import { assertNever } from "../../shared/assert.ts";
import type { Cancellable, Clock } from "../../shared/clock.ts";
import type { IdSource } from "../../shared/ids.ts";
import { ParallelsError, type ParallelsListener } from "./api.ts";
import type { Pass } from "./authentication.ts";
import type { ServiceAddress } from "./base-url.ts";
import { decodeEvent, eventTypes, type ParallelsEvent } from "./event-decoder.ts";
import { EventSocket } from "./event-socket.ts";
import type { ServiceClient } from "./service-client.ts";

export interface EventSubscriptionOptions {
  readonly address: ServiceAddress;
  readonly client: ServiceClient;
  readonly listener: ParallelsListener;
  readonly clock: Clock;
  /** Where the jitter comes from. */
  readonly ids: IdSource;
  readonly log: Logger;
  /** Called when the subscription is closed. */
  readonly onClosed: () => void;
}

/** The first wait is up to this, each further one up to twice the one before. */
const backoffFirstMs = 500;
const backoffMaxMs = 30_000;

/** A connection that lived as long begins the waits anew. */
const stableAfterMs = 10_000;

export class EventSubscription {
  readonly #options: EventSubscriptionOptions;
  #socket: EventSocket | undefined;
  #retry: Cancellable | undefined;
  #attempts = 0;
  #connectedAtMs: number | undefined;
  #isOutage = false;
  #isClosed = false;

  constructor(options: EventSubscriptionOptions) {
    this.#options = options;
    this.#retry = options.clock.after(0, () => this.#attempt());
  }

  /** No listener is called any more. Doing so twice is harmless. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#socket?.close();
    this.#options.onClosed();
  }

  #attempt(): void {
    this.#options.client.obtainPass().then(
      (pass) => this.#connect(pass),
      (error: unknown) =>
        this.#lose(error instanceof ParallelsError ? error : new ParallelsError("failed", "no pass", { cause: error })),
    );
  }

  #connect(pass: Pass): void {
    if (this.#isClosed) return;
    const { address, client, clock } = this.#options;
    this.#socket = new EventSocket({
      origin: address.origin,
      path: `${address.root}/ws/subscribe?event_types=${eventTypes.join(",")}`,
      pass,
      clock,
      onReady: () => this.#becomeConnected(),
      onMessage: (text) => this.#hear(text),
      onEnd: (error) => {
        if (this.#connectedAtMs === undefined) client.discardPass(pass);
        this.#lose(error);
      },
    });
  }

  #becomeConnected(): void {
    this.#connectedAtMs = this.#options.clock.monotonicMs();
    this.#isOutage = false;
    this.#options.log.info("listening to the events of parallels desktop");
    this.#options.listener.onConnected();
  }

  #lose(error: Error): void {
    if (this.#isClosed) return;
    const { clock, ids, listener, log } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#connectedAtMs !== undefined && nowMs - this.#connectedAtMs >= stableAfterMs) this.#attempts = 0;
    this.#connectedAtMs = undefined;
    const limitMs = Math.min(backoffMaxMs, backoffFirstMs * 2 ** Math.min(this.#attempts, 16));
    this.#attempts += 1;
    this.#retry = clock.after(limitMs * randomFraction(ids), () => this.#attempt());
    if (this.#isOutage) return;
    this.#isOutage = true;
    log.warn({ reason: error.message }, "lost the events of parallels desktop");
    listener.onDisconnected(error);
  }

  /** @returns whether it was the answer to a ping. */
  #hear(text: string): boolean {
    if (this.#isClosed) return false;
    const { client, listener } = this.#options;
    const event = decodeEvent(text, client.washer);
    if (event?.type === "pong") return true;
    if (event !== undefined) deliverEvent(listener, event);
    return false;
  }
}

function deliverEvent(listener: ParallelsListener, event: Exclude<ParallelsEvent, { readonly type: "pong" }>): void {
  switch (event.type) {
    case "state-changed":
      return listener.onStateChanged(event.vmId, event.state);
    case "vm-changed":
      return listener.onVmChanged(event.vm);
    case "vm-removed":
      return listener.onVmRemoved(event.vmId);
    case "job":
      return listener.onJob(event.job);
    case "cache-changed":
      return listener.onCacheChanged();
    default:
      return assertNever(event, "event");
  }
}

/** From 0 to 1, the latter excluded. */
function randomFraction(ids: IdSource): number {
  return Number.parseInt(ids.uid().slice(0, 8), 16) / 2 ** 32;
}
