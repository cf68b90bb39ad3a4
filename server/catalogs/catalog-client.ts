/**
 * Reads a Parallels catalog as its credentials let it. What goes wrong is told in words of our own: what the other side says
 * may repeat what it was shown.
 */

import { readBoundedText } from "../bounded-text.ts";
import type { CatalogFault, CatalogManifest } from "../pool/catalog.ts";
import type { CatalogCredentials } from "../pool/template.ts";
import { decodeManifests } from "./manifest-decoder.ts";

export type Reading =
  | { readonly kind: "manifests"; readonly manifests: readonly CatalogManifest[] }
  | { readonly kind: "fault"; readonly fault: CatalogFault };

/** Longer lists than any catalog has: a manifest with all its files is a few KB. */
const answerBytesMax = 32 * 2 ** 20;

/**
 * @param url the catalog's address, without the paths of its API.
 * @param signal aborted when it takes too long.
 */
export async function readCatalog(
  url: string,
  credentials: CatalogCredentials | undefined,
  signal: AbortSignal,
): Promise<Reading> {
  try {
    const headers = await authorization(url, credentials, signal);
    const answer = await call(`${base(url)}/catalog`, { headers, signal });
    const manifests = decodeManifests(answer);
    if (manifests === undefined) throw new CatalogProblem("NotACatalog", "what it answered is no list of manifests");
    return { kind: "manifests", manifests };
  } catch (error) {
    return { kind: "fault", fault: faultOf(error, signal) };
  }
}

/** What is wrong with a catalog, in words that everybody may read. */
class CatalogProblem extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** An API key is shown as it is; a user gets a token, which ends by itself in a quarter of an hour, for each reading. */
async function authorization(
  url: string,
  credentials: CatalogCredentials | undefined,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  if (credentials === undefined) return {};
  const { username, password, apiKey } = credentials;
  if (apiKey !== "") return { "x-api-key": apiKey };
  const body = JSON.stringify({ username, password });
  const headers = { "content-type": "application/json" };
  const answer = await call(`${base(url)}/auth/token`, { method: "POST", body, headers, signal });
  const token = typeof answer === "object" && answer !== null && "token" in answer ? answer.token : undefined;
  if (typeof token !== "string" || !/^[\w.~+/=-]+$/.test(token)) {
    throw new CatalogProblem("LoginRefused", "it gave no token for the user and the password");
  }
  return { authorization: `Bearer ${token}` };
}

function base(url: string): string {
  return `${url.replace(/\/+$/, "")}/api/v1`;
}

async function call(url: string, init: RequestInit): Promise<unknown> {
  const headers = { accept: "application/json", ...(init.headers as Readonly<Record<string, string>>) };
  // Credentials follow no redirect.
  const response = await fetch(url, { ...init, headers, redirect: "manual" });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw refusal(response.status, init.method === "POST");
  }
  const text = await readBoundedText(response, answerBytesMax);
  if (text === undefined) throw new CatalogProblem("TooLong", `its answer is longer than ${answerBytesMax} bytes`);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CatalogProblem("NotACatalog", "what it answered is no JSON");
  }
}

/** A wrong password is answered with 404, as is a path that is not there. */
function refusal(status: number, isLogin: boolean): CatalogProblem {
  if (isLogin) return new CatalogProblem("LoginRefused", `it refuses the user or the password (status ${status})`);
  if (status === 401 || status === 403) {
    return new CatalogProblem("LoginRefused", `it refuses the credentials, or they may not list manifests (${status})`);
  }
  return new CatalogProblem("AnswersWithError", `it answered with status ${status}`);
}

function faultOf(error: unknown, signal: AbortSignal): CatalogFault {
  if (error instanceof CatalogProblem) return { reason: error.reason, message: error.message };
  if (signal.aborted) return { reason: "TimedOut", message: "it did not answer in time" };
  const cause = error instanceof Error ? error.cause : undefined;
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  const detail = typeof code === "string" && /^[A-Z_]+$/.test(code) ? ` (${code})` : "";
  return { reason: "Unreachable", message: `the server cannot reach it${detail}` };
}
