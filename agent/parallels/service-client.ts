/**
 * Authorised JSON calls to the local service: a pass, one deadline over everything that a call needs, one repetition when
 * the pass was refused, and refusals turned into errors that say what they mean. What is asked and what the answer
 * holds is the business of the callers.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { ParallelsError } from "./api.ts";
import { Authentication, type Pass, type Token } from "./authentication.ts";
import type { ServiceAddress } from "./base-url.ts";
import type { Login } from "./credentials.ts";
import { Deadline } from "./deadline.ts";
import { decodeObject, malformed, numberAt, parseJson, requireText } from "./decoders.ts";
import { judgeAnswer } from "./error-judgement.ts";
import { SecretWasher } from "./secrets.ts";
import type { TimeLimits } from "./time-limits.ts";
import { Transport, type WireAnswer, type WireRequest } from "./transport.ts";

export interface ServiceCall {
  readonly method: WireRequest["method"];
  /** Below the API's root, such as `/machines`; segments that vary come from `pathOf`. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole call, in ms. */
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ServiceClientOptions {
  readonly address: ServiceAddress;
  readonly login: Login;
  readonly limits: TimeLimits;
  readonly clock: Clock;
  readonly log: Logger;
}

export class ServiceClient {
  readonly limits: TimeLimits;
  readonly washer = new SecretWasher();
  readonly #options: ServiceClientOptions;
  readonly #transport: Transport;
  readonly #authentication: Authentication;
  readonly #closed = new AbortController();

  constructor(options: ServiceClientOptions) {
    this.#options = options;
    this.limits = options.limits;
    for (const secret of options.login.secrets) this.washer.add(secret);
    this.#transport = new Transport(options.address.origin);
    const { login, clock, log } = options;
    this.#authentication = new Authentication({ login, clock, log, exchange: () => this.#logIn() });
  }

  /** The parsed body of a successful answer; rejects with a `ParallelsError`. */
  async callJson(call: ServiceCall): Promise<unknown> {
    const answer = await this.call(call);
    const parsed = parseJson(answer.text);
    if (parsed === undefined) throw malformed(`${call.method} ${call.path} is not JSON`);
    return parsed.value;
  }

  /** A successful answer (below 400); rejects with a `ParallelsError`. */
  async call(call: ServiceCall): Promise<WireAnswer> {
    const answer = await this.exchange(call);
    this.requireSuccess(call, answer);
    return answer;
  }

  /** Throws what the refusal means, if the answer is one. */
  requireSuccess(call: ServiceCall, answer: WireAnswer): void {
    if (answer.status >= 300) throw this.#washed(judgeAnswer(answer, call));
  }

  /** The answer whatever its status; rejects with a `ParallelsError` only when there is none or no pass. */
  async exchange(call: ServiceCall): Promise<WireAnswer> {
    const what = `${call.method} ${call.path}`;
    return this.within({ what, limitMs: call.limitMs, signal: call.signal }, async (signal) => {
      const pass = await this.#authentication.obtainPass(signal);
      const answer = await this.#send(call, pass, signal);
      if (answer.status !== 401 || !pass.isToken) return answer;
      this.#authentication.discardPass(pass);
      return this.#send(call, await this.#authentication.obtainPass(signal), signal);
    });
  }

  /** The pass to show outside of a call: when events are subscribed to. */
  async obtainPass(signal?: AbortSignal): Promise<Pass> {
    return this.within({ what: "the login", limitMs: this.limits.loginMs, signal }, (within) =>
      this.#authentication.obtainPass(within),
    );
  }

  /** See `Authentication.discardPass`. */
  discardPass(pass: Pass): void {
    this.#authentication.discardPass(pass);
  }

  /** Ends every call that is under way and refuses later ones. Doing so twice is harmless. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#transport.close();
  }

  /** Runs `action` under a deadline, which also ends when the caller gives up or the client is closed. */
  async within<T>(
    options: { readonly what: string; readonly limitMs: number; readonly signal?: AbortSignal | undefined },
    action: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#closed.signal.aborted) throw new ParallelsError("unreachable", "the client is closed");
    const deadline = new Deadline(this.#options.clock, { ...options, closed: this.#closed.signal });
    try {
      return await action(deadline.signal);
    } catch (error) {
      throw error instanceof ParallelsError ? this.#washed(error) : error;
    } finally {
      deadline.end();
    }
  }

  async #send(call: ServiceCall, pass: Pass, signal: AbortSignal): Promise<WireAnswer> {
    const path = this.#options.address.root + call.path;
    return this.#transport.send(requestOf(call, path, { ...call.headers, ...pass.headers }), signal);
  }

  async #logIn(): Promise<Token> {
    const { address, clock, login } = this.#options;
    const call = { method: "POST", path: "/auth/token", body: login.body } as const;
    const limits = { what: "POST /auth/token", limitMs: this.limits.loginMs };
    return this.within(limits, async (signal) => {
      const answer = await this.#transport.send(requestOf(call, address.root + call.path, {}), signal);
      if (answer.status >= 300) throw refusedLogin(answer, call);
      const reply = decodeObject(parseJson(answer.text)?.value, "the reply to the login");
      const text = requireText(reply, "token", "the reply to the login");
      this.washer.add(text);
      const lifetimeMs = numberAt(reply, "expires_at") * 1000 - clock.wallMs();
      return { text, lifetimeMs: lifetimeMs > 0 ? lifetimeMs : undefined };
    });
  }

  #washed(error: ParallelsError): ParallelsError {
    const message = this.washer.wash(error.message);
    if (message === error.message) return error;
    return new ParallelsError(error.kind, message, { status: error.status });
  }
}

/** A path of fixed and varying segments; the varying ones are encoded, so that no id can reach another route. */
export function pathOf(strings: TemplateStringsArray, ...segments: readonly string[]): string {
  return String.raw({ raw: strings }, ...segments.map(encodeSegment));
}

/** A segment of dots alone would be folded away on its way, and an empty one would name the list. */
function encodeSegment(segment: string): string {
  if (segment === "" || segment === "." || segment === "..")
    throw new ParallelsError("failed", "the id is empty or made of dots");
  return encodeURIComponent(segment);
}

function requestOf(
  call: Pick<ServiceCall, "method" | "body">,
  path: string,
  headers: Readonly<Record<string, string>>,
): WireRequest {
  const { method, body } = call;
  if (body === undefined) return { method, path, headers: { accept: "application/json", ...headers } };
  const jsonHeaders = { accept: "application/json", "content-type": "application/json" };
  return { method, path, headers: { ...jsonHeaders, ...headers }, body: JSON.stringify(body) };
}

/** A wrong password comes as 404: whatever the login's refusal, it means that we may not in. A broken service is another thing. */
function refusedLogin(answer: WireAnswer, call: Pick<ServiceCall, "method" | "path">): ParallelsError {
  const error = judgeAnswer(answer, call);
  if (answer.status >= 500) return error;
  return new ParallelsError("unauthorised", error.message, { status: error.status });
}
