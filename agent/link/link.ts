/**
 * Keeps the agent in contact with the server: one session after the other, over the servers' addresses in turn, with pauses
 * that grow while nobody answers. What must not be lost is not kept here but in the command memory, which each Hello tells
 * of. Says once when the server goes away and once when it is back.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import type { CommandUpdate, Welcome } from "../../shared/gen/link/meridian/agent/v1/agent_service.ts";
import type { Logger } from "../../shared/log.ts";
import { Backoff, type BackoffTuning, defaultBackoffTuning } from "./backoff.ts";
import type { LinkSource } from "./link-source.ts";
import { defaultSessionTuning, Session, type SessionEnd, type SessionTuning } from "./session.ts";
import type { LinkTransport } from "./transport.ts";

export interface LinkTuning {
  readonly session: SessionTuning;
  readonly backoff: BackoffTuning;
  /** A session that was open for so long, in ms, ends the backoff. Default 10,000: shorter ones are part of the trouble. */
  readonly heldMs: number;
}

export const defaultLinkTuning: LinkTuning = {
  session: defaultSessionTuning,
  backoff: defaultBackoffTuning,
  heldMs: 10_000,
};

export interface LinkOptions {
  /** The servers, each as "host:port"; at least one. */
  readonly servers: readonly string[];
  readonly transport: LinkTransport;
  readonly source: LinkSource;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly tuning: LinkTuning;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  #session: Session | undefined;
  #pause: AbortController | undefined;
  #running: Promise<void> | undefined;
  #awaySinceMs: number | undefined;
  #isRenewing = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    const { servers, random, tuning } = options;
    this.#backoff = new Backoff({ tuning: tuning.backoff, dialsPerStep: servers.length, random });
  }

  /** Begins; resolves when the link has ended for good, because it was closed or because the server wants it so. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Goes out with the present session, if one is open; else the next Hello tells of it. */
  sendUpdate(update: CommandUpdate): void {
    this.#session?.sendUpdate(update);
  }

  sendHeartbeat(): void {
    this.#session?.sendHeartbeat();
  }

  sendInventory(): void {
    this.#session?.sendInventory();
  }

  /** Ends the present session and opens another at once, so that a new Hello is said. */
  renew(reason: string, message: string): void {
    if (this.#session === undefined) return;
    this.#isRenewing = true;
    this.#session.leave(reason, message);
  }

  /** Ends the pause before the next dial, if there is one: there is something new to tell. */
  hurry(): void {
    this.#pause?.abort(new Error("hurried"));
  }

  /** Says Goodbye and ends; resolves when nothing is open any more. Twice is harmless. */
  async close(reason: string, message: string): Promise<void> {
    this.#session?.leave(reason, message);
    this.#closing.abort(new Error("the link is closed"));
    this.hurry();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, servers, source } = this.#options;
    const { signal } = this.#closing;
    for (let dials = 0; !signal.aborted; dials += 1) {
      const address = servers[dials % servers.length] ?? "";
      const end = await this.#runSession(address);
      if (signal.aborted) return;
      if (end.goodbye !== undefined && end.goodbye.retryAfterMs < 0) {
        this.#options.log.error(
          { address, reason: end.reason, detail: end.message },
          "server refuses this host for good",
        );
        return;
      }
      if (end.goodbye?.reason === "HelloOutdated") source.onHelloOutdated();
      const delayMs = this.#delayAfter(end);
      this.#noteAway(address, end, delayMs);
      this.#pause = new AbortController();
      await sleep(clock, delayMs, this.#pause.signal).catch(() => undefined);
      this.#pause = undefined;
    }
  }

  async #runSession(address: string): Promise<SessionEnd> {
    const { clock, source, transport, tuning } = this.#options;
    this.#isRenewing = false;
    const session = new Session({
      address,
      transport,
      clock,
      tuning: tuning.session,
      source,
      onOpen: (welcome) => this.#noteBack(address, welcome),
    });
    this.#session = session;
    const end = await session.ended;
    this.#session = undefined;
    return end;
  }

  #delayAfter(end: SessionEnd): number {
    if (this.#isRenewing) return 0;
    if ((end.heldMs ?? 0) >= this.#options.tuning.heldMs) this.#backoff.reset();
    const jitterMs = this.#backoff.nextDelayMs();
    const askedMs = end.goodbye?.retryAfterMs ?? 0;
    return askedMs > 0 ? askedMs + Math.min(jitterMs, this.#options.tuning.backoff.baseMs) : jitterMs;
  }

  #noteAway(address: string, end: SessionEnd, delayMs: number): void {
    if (this.#awaySinceMs !== undefined || this.#isRenewing) return;
    const { clock, log } = this.#options;
    this.#awaySinceMs = clock.monotonicMs();
    log.warn({ address, reason: end.reason, detail: end.message, retry_ms: Math.round(delayMs) }, "server away");
  }

  #noteBack(address: string, welcome: Welcome): void {
    const { clock, log } = this.#options;
    const away =
      this.#awaySinceMs === undefined ? {} : { away_ms: Math.round(clock.monotonicMs() - this.#awaySinceMs) };
    this.#awaySinceMs = undefined;
    log.info(
      { address, session_id: welcome.sessionId, epoch: welcome.epoch, server_version: welcome.serverVersion, ...away },
      "connected to server",
    );
  }
}
