/**
 * Gets a server's CA certificate by its fingerprint. The server shows its chain in the handshake; the certificate in it whose
 * digest is the pin is the one that was meant, and nothing else in that handshake is believed. Nothing is sent in it. Every
 * later connection trusts that certificate alone and checks the server in full, with its name.
 */
import type { X509Certificate } from "node:crypto";
import { connect } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import type { Clock } from "../clock.ts";
import { type Fingerprint, fingerprintOf } from "./fingerprint.ts";
import { tlsProtocol } from "./protocol.ts";

export interface PinOptions {
  readonly host: string;
  readonly port: number;
  readonly fingerprint: Fingerprint;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Why the CA could not be had. */
export class PinFailed extends Error {
  override readonly name = "PinFailed";
  /** "mismatch": somebody answered, and was not the one that was meant. */
  readonly kind: "mismatch" | "plain-text" | "unreachable";

  constructor(kind: PinFailed["kind"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** The CA's certificate in PEM. Rejects with `PinFailed`. */
export async function fetchPinnedCa(options: PinOptions): Promise<string> {
  const chain = await readChain(options);
  const pinned = chain.find((certificate) => fingerprintOf(certificate) === options.fingerprint);
  if (pinned?.ca === true) return pinned.toString();
  const top = chain.at(-1);
  throw new PinFailed(
    "mismatch",
    `${options.host}:${options.port} did not show the CA that is pinned (${options.fingerprint}), but ` +
      `${top === undefined ? "no certificate" : fingerprintOf(top)}: it is another server, its CA is new, or somebody is in between`,
  );
}

/**
 * The name by which a client says in the handshake which CA it has pinned. While a CA is being replaced a server has two, and
 * a chain can end in only one of them; a server that has one ignores the name.
 */
export function pinName(fingerprint: Fingerprint): string {
  // A label of a name has at most 63 characters; 160 bits of the digest are enough to choose one of two.
  return `${fingerprint.slice("sha256:".length, "sha256:".length + 40)}.ca.meridian.invalid`;
}

/** The certificates that the server shows, its own first. */
function readChain(options: PinOptions): Promise<readonly X509Certificate[]> {
  const { host, port, clock, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const tls = tlsConnect({
      socket,
      ...tlsProtocol,
      // The pin is checked instead, and the connection is used for nothing else.
      rejectUnauthorized: false,
      servername: pinName(options.fingerprint),
      ALPNProtocols: ["h2", "http/1.1"],
    });
    const timer = clock.after(timeoutMs, () => fail(new Error(`no answer within ${timeoutMs} ms`)));
    const onAbort = (): void => fail(new Error("interrupted"));
    const release = (): void => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      tls.destroy();
      socket.destroy();
    };
    const fail = (error: Error): void => {
      release();
      reject(failureOf(error, `${host}:${port}`));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.on("error", fail);
    tls.on("error", fail);
    tls.on("close", () => fail(new Error("the connection was closed")));
    tls.once("secureConnect", () => {
      const chain = chainOf(tls);
      release();
      resolve(chain);
    });
  });
}

/** Longer chains are no server's of ours: its own, a bridge to an older CA, and the CAs. */
const chainMax = 8;

function chainOf(tls: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = tls.getPeerX509Certificate();
  while (next !== undefined && chain.length < chainMax) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

function failureOf(error: Error, address: string): PinFailed {
  if (isPlainText(error)) {
    return new PinFailed("plain-text", `${address} speaks plain text and no TLS`, error);
  }
  return new PinFailed("unreachable", `${address} cannot be reached: ${error.message}`, error);
}

/** Whether a TLS handshake failed because the other side does not speak TLS. */
export function isPlainText(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return error.code === "ERR_SSL_WRONG_VERSION_NUMBER" || error.code === "ERR_SSL_PACKET_LENGTH_TOO_LONG";
}
