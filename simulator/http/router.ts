/** Finds the route of a request, below both prefixes. A wrong verb is no route at all, as the real service has it. */
import type { Route } from "./route.ts";

export interface RouteMatch {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

export class Router {
  readonly #routes: readonly { readonly route: Route; readonly parts: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => ({ route, parts: splitPath(route.path) }));
  }

  /** @param path with its prefix, without the query. */
  find(method: string, path: string): RouteMatch | undefined {
    const given = splitPath(path);
    if (given[0] !== "api") return undefined;
    const isVersioned = given[1] === "v1";
    const rest = given.slice(isVersioned ? 2 : 1);
    for (const { route, parts } of this.#routes) {
      if (route.method !== method || parts.length !== rest.length) continue;
      if (isVersioned && route.isUnversioned === true) continue;
      const params = matchParts(parts, rest);
      if (params !== undefined) return { route, params };
    }
    return undefined;
  }
}

function splitPath(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}

function matchParts(parts: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [at, part] of parts.entries()) {
    const value = given[at] ?? "";
    if (part.startsWith("{")) params[part.slice(1, -1)] = decode(value);
    else if (part !== value) return undefined;
  }
  return params;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
