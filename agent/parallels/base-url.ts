/**
 * Where the local service answers. People write its address with or without the API's prefix; here it becomes one shape,
 * and anything that could leak a secret into a log (a user in the address, a query) is refused.
 */
import { ParallelsError } from "./api.ts";

export interface ServiceAddress {
  /** Such as `http://127.0.0.1:3080`. */
  readonly origin: string;
  /** The versioned root of every route, such as `/api/v1`. */
  readonly root: string;
}

/** The service's own default; it can be set to another one there. */
const defaultPrefix = "/api";

/** @param baseUrl such as `http://127.0.0.1:3080`, with or without a prefix such as `/api`. */
export function parseBaseUrl(baseUrl: string): ServiceAddress {
  const url = URL.parse(baseUrl);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new ParallelsError("failed", "the address of the Parallels API is not an http or https URL");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new ParallelsError("failed", "the address of the Parallels API must not hold a user, a query or a fragment");
  }
  const prefix = url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
  return { origin: url.origin, root: `${prefix === "" ? defaultPrefix : prefix}/v1` };
}
