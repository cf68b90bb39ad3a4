/**
 * The keys that an issuer signs with, fetched when a token asks for them and kept for a while. `jose` decides when: once they
 * are too old, and for a key that is not among them, but not for every token that names one. An issuer that cannot be reached
 * is not asked again for each token either.
 */
import { type CryptoKey, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import { readBoundedText } from "../../bounded-text.ts";
import { isTrusted } from "./issuer-url.ts";

export interface KeyTuning {
  /** For both documents together. */
  readonly timeoutMs: number;
  /** For how long keys are not fetched again although a token names one that is not among them. */
  readonly cooldownMs: number;
  /** After which they are fetched again in any case, so that one that was withdrawn is. */
  readonly ageMaxMs: number;
  /** For how long an issuer that failed is not asked again. */
  readonly pauseMs: number;
}

export const defaultKeyTuning: KeyTuning = {
  timeoutMs: 5000,
  cooldownMs: 30_000,
  ageMaxMs: 10 * 60_000,
  pauseMs: 5000,
};

/** Longer answers than any issuer has. */
const documentBytesMax = 256 * 1024;

export class IssuerKeys {
  private readonly name: string;
  private readonly url: string;
  private readonly clock: Clock;
  private readonly tuning: KeyTuning;
  private readonly keys: JWTVerifyGetKey;
  private failure: { readonly problem: string; readonly untilMs: number } | undefined;

  /** @param name of the issuer, such as `issuers/github`. */
  constructor({ name, url }: { readonly name: string; readonly url: string }, clock: Clock, tuning: KeyTuning) {
    this.name = name;
    this.url = url;
    this.clock = clock;
    this.tuning = tuning;
    this.keys = createRemoteJWKSet(new URL(url), {
      timeoutDuration: tuning.timeoutMs,
      cooldownDuration: tuning.cooldownMs,
      cacheMaxAge: tuning.ageMaxMs,
      [customFetch]: (_url, { signal }) => this.fetchKeys(signal),
    });
  }

  /** The key for a token. Rejects with ISSUER_UNAVAILABLE, or with an error of `jose` if the issuer has none that fits. */
  readonly find = async (...token: Parameters<JWTVerifyGetKey>): Promise<CryptoKey> => {
    try {
      return (await this.keys(...token)) as CryptoKey;
    } catch (error) {
      if (this.failure !== undefined && !isOfToken(error)) throw this.unavailable(this.failure, error);
      if (error instanceof errors.JWKSInvalid || error instanceof errors.JWKSTimeout || !isOfToken(error)) {
        throw this.unavailable(this.fail("it has no keys that can be read"), error);
      }
      throw error;
    }
  };

  /** Where the keys are is asked anew each time: it is a small document, and an issuer may move them. */
  private async fetchKeys(signal: AbortSignal): Promise<Response> {
    if (this.failure !== undefined && this.clock.monotonicMs() < this.failure.untilMs) {
      throw new IssuerProblem(this.failure.problem);
    }
    try {
      const keys = await fetchDocument(await this.discover(signal), signal);
      this.failure = undefined;
      return Response.json(keys);
    } catch (error) {
      this.fail(error instanceof IssuerProblem ? error.message : problemOf(error, this.tuning.timeoutMs));
      throw error;
    }
  }

  private async discover(signal: AbortSignal): Promise<string> {
    const url = `${this.url.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const document = await fetchDocument(url, signal);
    if (document["issuer"] !== this.url) throw new IssuerProblem("what is there is another issuer's");
    const keysUrl = document["jwks_uri"];
    const parsed = typeof keysUrl === "string" ? URL.parse(keysUrl) : null;
    if (parsed === null) throw new IssuerProblem("it does not say where its keys are");
    const isWeaker = this.url.startsWith("https:") && parsed.protocol !== "https:";
    if (isWeaker || !isTrusted(parsed)) throw new IssuerProblem("it has its keys where anybody could change them");
    return parsed.href;
  }

  private fail(problem: string): { readonly problem: string; readonly untilMs: number } {
    this.failure = { problem, untilMs: this.clock.monotonicMs() + this.tuning.pauseMs };
    return this.failure;
  }

  private unavailable({ problem }: { readonly problem: string }, cause: unknown): MeridianError {
    return new MeridianError("ISSUER_UNAVAILABLE", `the keys of ${this.name} cannot be had: ${problem}`, {
      metadata: { issuer: this.name },
      retryAfterMs: this.tuning.pauseMs,
      cause,
    });
  }
}

/** What is wrong with an issuer, in words that a caller may read. */
class IssuerProblem extends Error {}

/** It is the token that names a key which is not there, or none. */
function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

async function fetchDocument(url: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const response = await fetch(url, { signal, redirect: "manual", headers: { accept: "application/json" } });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new IssuerProblem(`it answered with ${response.status}`);
  }
  const text = await readBoundedText(response, documentBytesMax);
  if (text === undefined) throw new IssuerProblem(`its answer is longer than ${documentBytesMax} bytes`);
  const document = parseJson(text);
  if (typeof document !== "object" || document === null) throw new IssuerProblem("it answered with no JSON object");
  return document as Record<string, unknown>;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemOf(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError")) {
    return `it did not answer within ${timeoutMs} ms`;
  }
  return "it cannot be reached";
}
