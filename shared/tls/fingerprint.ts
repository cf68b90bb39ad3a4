/** Fingerprints of certificates, by which they are pinned: `sha256:` and 64 hex digits, of the certificate's DER bytes. */
import { createHash, type X509Certificate } from "node:crypto";

declare const brand: unique symbol;
/** In the one form in which they are compared. */
export type Fingerprint = string & { readonly [brand]: "Fingerprint" };

export function fingerprintOf(certificate: Pick<X509Certificate, "raw">): Fingerprint {
  return format(createHash("sha256").update(certificate.raw).digest("hex"));
}

/** Understands it with and without `sha256:`, with colons or without, as other tools print it. Nothing if it is none. */
export function parseFingerprint(text: string): Fingerprint | undefined {
  const digits = text
    .trim()
    .replace(/^sha-?256[:=]/i, "")
    .replaceAll(":", "")
    .toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? format(digits) : undefined;
}

export function fingerprintBytes(fingerprint: Fingerprint): Buffer {
  return Buffer.from(fingerprint.slice("sha256:".length), "hex");
}

export function fingerprintFromBytes(bytes: Uint8Array): Fingerprint | undefined {
  return parseFingerprint(Buffer.from(bytes).toString("hex"));
}

function format(digits: string): Fingerprint {
  // The cast is where checked digits become a fingerprint.
  return `sha256:${digits}` as Fingerprint;
}
