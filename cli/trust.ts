/**
 * How a verb makes sure that it speaks to the right server. A pinned CA or one from a file is trusted alone; without either,
 * another machine has to show a certificate that this machine's own roots know, and only this machine itself is spoken to in
 * plain text. There is no way to speak TLS without checking.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { type Fingerprint, parseFingerprint } from "../shared/tls/fingerprint.ts";
import { fetchPinnedCa, PinFailed } from "../shared/tls/pinned-ca.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure, wrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";
import { type Address, formatAddress, isLoopback } from "./values/address.ts";

/** What flags, environment or a context say. */
export interface TrustSettings {
  readonly insecure?: boolean | undefined;
  readonly caFingerprint?: Fingerprint | undefined;
  /** CA certificates in PEM. */
  readonly ca?: string | undefined;
}

/** "plain": no TLS. Otherwise the CAs to trust in PEM, or those that this machine knows. */
export type Trust = { readonly kind: "plain" } | { readonly kind: "tls"; readonly ca?: string };

/** Asks the server for its CA if only its fingerprint is known. */
export async function resolveTrust(
  settings: TrustSettings,
  server: Address,
  terminal: Pick<Terminal, "clock" | "interrupted">,
): Promise<Trust> {
  const { insecure, ca, caFingerprint } = settings;
  const isLocal = isLoopback(server.host);
  if (insecure === true) {
    if (isLocal) return { kind: "plain" };
    throw wrongUsage(
      `--insecure is plain text, for this machine only, and ${formatAddress(server)} is another`,
      "Pin that server's CA with --ca-fingerprint; it is in the line that the server logs when it serves.",
    );
  }
  if (ca !== undefined) return { kind: "tls", ca };
  if (caFingerprint !== undefined) return { kind: "tls", ca: await pinnedCa(server, caFingerprint, terminal) };
  return isLocal ? { kind: "plain" } : { kind: "tls" };
}

/** How long the server may take to show its CA. */
const pinTimeoutMs = 10_000;

export async function pinnedCa(
  server: Address,
  fingerprint: Fingerprint,
  { clock, interrupted: signal }: Pick<Terminal, "clock" | "interrupted">,
): Promise<string> {
  try {
    return await fetchPinnedCa({ ...server, fingerprint, clock, timeoutMs: pinTimeoutMs, signal });
  } catch (error) {
    if (!(error instanceof PinFailed)) throw error;
    const { exitCode, hint } = pinFailures[error.kind];
    throw new Failure(error.message, { exitCode, hint, cause: error });
  }
}

const pinFailures: Readonly<Record<PinFailed["kind"], { readonly exitCode: number; readonly hint: string }>> = {
  mismatch: {
    exitCode: exitCodes.denied,
    hint: "Nothing was sent. Compare with the ca_fingerprint in the server's log, and pin that if it is the right server.",
  },
  "plain-text": {
    exitCode: exitCodes.unavailable,
    hint: "If it is a server that was started with --insecure, say --insecure here too.",
  },
  unreachable: { exitCode: exitCodes.unavailable, hint: "Check the address, and that the server runs." },
};

/** A flag's value. */
export function parseFingerprintFlag(text: string): Fingerprint {
  const fingerprint = parseFingerprint(text);
  if (fingerprint === undefined) throw new InvalidArgumentError("Write sha256: and 64 hex digits.");
  return fingerprint;
}

/** The certificates in a file. */
export function readCaFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw wrongUsage(`cannot read the CA file ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isCertificate(text)) throw wrongUsage(`${path} holds no certificate in PEM`);
  return text;
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}
