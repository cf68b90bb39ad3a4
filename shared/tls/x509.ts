/** The library that makes certificates and requests for them. It takes a while to load, and most starts make none. */
import type * as X509 from "@peculiar/x509";

export type X509Library = typeof X509;

/** The one kind of key that Meridian makes: small, fast to sign with, and known to everything that speaks TLS. */
export const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
export const signatureAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;

export async function loadX509(): Promise<X509Library> {
  // The library's own dependency needs it, and takes it from the global object.
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}
