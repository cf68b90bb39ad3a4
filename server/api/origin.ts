/**
 * Which browsers may use the HTTP port: those that show a page that this server itself served. A page of another origin could
 * otherwise drive the pool from within somebody's browser, either by a simple cross-origin request or, on a port that asks
 * nobody who he is, with a DNS name that it points at 127.0.0.1 (DNS rebinding), as if it were of our own origin. Over TLS
 * such a name fails at the certificate, so there the server may have any name.
 */
import type { IncomingHttpHeaders } from "node:http";

/** Why a request is refused, as a sentence, or nothing if it may pass. */
export function refusedOrigin(headers: IncomingHttpHeaders, scheme: "http" | "https"): string | undefined {
  const host = headers.host ?? "";
  const hostname = hostnameOf(`http://${host}`);
  if (scheme === "http" && (hostname === undefined || !isLoopbackName(hostname))) {
    return "the Host header must name this machine: localhost, 127.0.0.1 or [::1]";
  }
  const { origin } = headers;
  if (origin !== undefined && origin !== `${scheme}://${host}`)
    return "requests of pages of other origins are not served";
  const site = headers["sec-fetch-site"];
  // "none" is what a person typed into the address bar.
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    return "requests of pages of other origins are not served";
  }
  return undefined;
}

/** Whether a name or address can only mean this machine. */
export function isLoopbackName(hostname: string): boolean {
  return (
    hostname === "localhost" || hostname === "[::1]" || hostname === "::1" || /^127(?:\.\d{1,3}){3}$/.test(hostname)
  );
}

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
