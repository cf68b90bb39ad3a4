/**
 * The pass that every call shows. An API key is exchanged for a token, because the service's jobs refuse keys; the token is
 * renewed before it expires and whenever the service refuses it (a restarted service forgets every token). Where no token
 * can be had for a key, the key itself is the pass. One exchange is under way at a time, whoever waits for it.
 *
 * A refused login is not repeated for a while: the service may lock a user out who fails too often.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { ParallelsError } from "./api.ts";
import type { Login } from "./credentials.ts";
import { waitWithin } from "./deadline.ts";

export interface Pass {
  readonly headers: Readonly<Record<string, string>>;
  /** A token can be renewed when it is refused; a key cannot. */
  readonly isToken: boolean;
}

export interface Token {
  readonly text: string;
  /** How long it is good, from now; nothing if the service did not say. */
  readonly lifetimeMs: number | undefined;
}

export interface AuthenticationOptions {
  readonly login: Login;
  readonly clock: Clock;
  readonly log: Logger;
  /** Exchanges the login for a token; rejects with a `ParallelsError`. It has a deadline of its own. */
  readonly exchange: () => Promise<Token>;
}

/** Used when the service does not say how long a token is good; its own default is 15 minutes. */
const lifetimeDefaultMs = 5 * 60_000;

/** A token is renewed when less than this, or a fifth of its life, is left. */
const renewalMarginMs = 60_000;

/** How long a refused login is not tried again. */
const refusalPauseMs = 30_000;

export class Authentication {
  readonly #options: AuthenticationOptions;
  #pass: { readonly pass: Pass; readonly renewAtMs: number } | undefined;
  #refusal: { readonly error: ParallelsError; readonly untilMs: number } | undefined;
  #exchange: Promise<Pass> | undefined;

  constructor(options: AuthenticationOptions) {
    this.#options = options;
  }

  /** The pass to show now. Waits for an exchange if one is needed, no longer than the signal allows. */
  async obtainPass(signal: AbortSignal): Promise<Pass> {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#pass !== undefined && nowMs < this.#pass.renewAtMs) return this.#pass.pass;
    if (this.#refusal !== undefined && nowMs < this.#refusal.untilMs) throw this.#refusal.error;
    this.#exchange ??= this.#exchangeOnce();
    return waitWithin(this.#exchange, signal);
  }

  /** The service refused this pass: the next call gets another, unless somebody has renewed it already. */
  discardPass(pass: Pass): void {
    if (this.#pass?.pass === pass) this.#pass = undefined;
  }

  async #exchangeOnce(): Promise<Pass> {
    const { clock, exchange } = this.#options;
    try {
      const token = await exchange();
      const lifetimeMs = token.lifetimeMs ?? lifetimeDefaultMs;
      const renewAtMs = clock.monotonicMs() + lifetimeMs - Math.min(renewalMarginMs, lifetimeMs / 5);
      const pass: Pass = { headers: { authorization: `Bearer ${token.text}` }, isToken: true };
      this.#pass = { pass, renewAtMs };
      this.#refusal = undefined;
      return pass;
    } catch (error) {
      return this.#acceptRefusal(error);
    } finally {
      this.#exchange = undefined;
    }
  }

  /** No token: the key takes its place if there is one; without an answer of the service there is no pass at all. */
  #acceptRefusal(error: unknown): Pass {
    if (!(error instanceof ParallelsError) || error.status === 0) throw error;
    const { clock, log, login } = this.#options;
    const untilMs = clock.monotonicMs() + refusalPauseMs;
    if (login.apiKey === undefined) {
      this.#refusal = { error, untilMs };
      throw error;
    }
    log.warn({ reason: error.message }, "no token for the parallels api key, using the key itself");
    const pass: Pass = { headers: { "x-api-key": login.apiKey }, isToken: false };
    this.#pass = { pass, renewAtMs: untilMs };
    return pass;
  }
}
