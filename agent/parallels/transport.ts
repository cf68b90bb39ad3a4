/**
 * HTTP to the local service: one request, one bounded answer, as it came. It knows nothing of tokens or of what an answer
 * means; it tells apart only "nobody there" and "no answer", because a caller may repeat the first but not the second.
 */
import { errors, Pool } from "undici";
import { ParallelsError } from "./api.ts";

/** More calls than this at once are refused: the agent bounds its own work far below, so this would be a fault. */
const callsMax = 256;

/** Enough that a slow change of every VM of a Mac leaves room for the lists. */
const connectionsMax = 32;

/** A list of some hundred VMs takes a few MB; more than this is not an answer of this service. */
const answerBytesMax = 32 * 2 ** 20;

/** The service is on this Mac or beside it. */
const connectTimeoutMs = 5000;

export interface WireRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** With the API's root and the query, already encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; nothing for none. */
  readonly body?: string | undefined;
}

export interface WireAnswer {
  readonly status: number;
  readonly text: string;
}

export class Transport {
  readonly #pool: Pool;
  #callCount = 0;

  /** @param origin such as `http://127.0.0.1:3080`. */
  constructor(origin: string) {
    this.#pool = new Pool(origin, {
      connections: connectionsMax,
      pipelining: 1,
      allowH2: false,
      // Deadlines are the caller's: a change of state may rightly be silent for minutes.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: answerBytesMax,
      connect: { timeout: connectTimeoutMs },
    });
  }

  /** Sends one request; rejects with a `ParallelsError`, with the signal's reason if it fired. */
  async send(request: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    if (this.#callCount >= callsMax) throw new ParallelsError("unreachable", `${callsMax} calls are already under way`);
    this.#callCount += 1;
    try {
      const { method, path, headers, body } = request;
      const answer = await this.#pool.request({ method, path, headers, body: body ?? null, signal });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (error) {
      throw signal.aborted && signal.reason instanceof ParallelsError ? signal.reason : describeFault(error, request);
    } finally {
      this.#callCount -= 1;
    }
  }

  /** Cuts every connection; later calls are refused. Doing so twice is harmless. */
  async close(): Promise<void> {
    if (!this.#pool.destroyed) await this.#pool.destroy();
  }
}

/** Faults before the request left: it cannot have been done. */
const unsentCodes: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_CLOSED",
  "UND_ERR_DESTROYED",
]);

function describeFault(error: unknown, request: WireRequest): ParallelsError {
  const what = `${request.method} ${request.path}`;
  const code = faultCode(error);
  if (unsentCodes.has(code) || code.startsWith("ERR_TLS_") || code.includes("CERT")) {
    return new ParallelsError("unreachable", `${what}: the Parallels API cannot be reached (${code})`, {
      cause: error,
    });
  }
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") {
    return new ParallelsError("failed", `${what}: the answer is larger than ${answerBytesMax} bytes`, { cause: error });
  }
  if (error instanceof errors.HTTPParserError) {
    return new ParallelsError("failed", `${what}: what answers there does not speak HTTP`, { cause: error });
  }
  // The connection broke between request and answer. A read changed nothing; anything else may have been done.
  const kind = request.method === "GET" ? "unreachable" : "timed-out";
  return new ParallelsError(kind, `${what}: the connection broke before the answer (${code})`, { cause: error });
}

function faultCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "unknown fault";
  if ("code" in error && typeof error.code === "string") return error.code;
  return "cause" in error ? faultCode(error.cause) : "unknown fault";
}
