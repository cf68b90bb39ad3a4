/** How all of Meridian speaks TLS: version 1.3 alone, and the cheapest of its ciphers first. */
import type { SecureContextOptions } from "node:tls";

/**
 * AES-128-GCM has security to spare and is about a fifth cheaper than AES-256-GCM on everything that flows; where a machine
 * has no AES in hardware, the other side may still ask for ChaCha20.
 */
export const tlsProtocol = {
  minVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
} as const satisfies SecureContextOptions;
