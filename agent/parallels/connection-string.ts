/**
 * How the service is told where a catalog is and how to prove oneself there: `key=value;key=value`. Its parser knows no
 * escapes, cuts at every ";", and takes a part for the first key whose name occurs anywhere in it, in any case; so a value
 * that it would misread is refused here. Each credential has a key of its own, because in the shorter form
 * `user:password@host` even more characters change the meaning.
 */
import { ParallelsError } from "./api.ts";

export interface CatalogAccess {
  /** The catalog's address, such as `https://catalog.example.com`. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly apiKey?: string | undefined;
}

/** The names that the parser looks for inside of values too. */
const reservedNames = ["provider", "host", "port", "username", "password", "api_key"] as const;

export function buildConnectionString(access: CatalogAccess): string {
  const { username = "", password = "", apiKey = "" } = access;
  const host = parseCatalogUrl(access.url);
  if (apiKey !== "")
    return joinParts([
      ["host", host.text],
      ["api_key", apiKey],
    ]);
  if (username !== "" && password !== "") {
    return joinParts([
      ["host", host.text],
      ["username", username],
      ["password", password],
    ]);
  }
  // Without credentials the service looks into the catalog on its own Mac, whatever host is named.
  if (host.isLoopback) return joinParts([["host", host.text]]);
  throw refusal("a catalog on another machine needs a user and a password, or an API key");
}

function parseCatalogUrl(text: string): { readonly text: string; readonly isLoopback: boolean } {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw refusal("its address is not an http or https URL");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw refusal("its address must not hold a user, a query or a fragment");
  }
  const path = url.pathname.replace(/\/+$/, "");
  return { text: url.origin + path, isLoopback: /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname) };
}

function joinParts(parts: readonly (readonly [name: string, value: string])[]): string {
  for (const [name, value] of parts) requireSafe(name, value);
  return parts.map(([name, value]) => `${name}=${value}`).join(";");
}

/** The message names the part, never its value. */
function requireSafe(name: string, value: string): void {
  if (/[;\p{Cc}]/u.test(value)) throw refusal(`its ${name} holds a ";" or a control character`);
  if (value.trim() !== value) throw refusal(`its ${name} begins or ends with a space`);
  if (name === "host" && value.includes("@")) throw refusal('its address holds an "@"');
  const lowered = value.toLowerCase();
  const misread = reservedNames.find((reserved) => lowered.includes(`${reserved}=`));
  if (misread !== undefined) throw refusal(`its ${name} holds "${misread}="`);
}

function refusal(detail: string): ParallelsError {
  return new ParallelsError("catalog", `the catalog cannot be passed to the service: ${detail}`);
}
