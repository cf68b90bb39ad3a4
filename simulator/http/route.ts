/** What a route of the simulated service is: a verb, a path, who may call it, and what it does. */
import type { IncomingHttpHeaders } from "node:http";

/** Who may call: anyone; a user or an API key; only a user, since an API key has none. */
export type Access = "anyone" | "caller" | "user";

export interface Call {
  /** The parts of the path that the route names, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The parsed body; undefined if there is none. */
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  /** Undefined: an empty body. */
  readonly body?: unknown;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Without the prefix; parts such as `{id}` are parameters. */
  readonly path: string;
  readonly access: Access;
  /** Which of the service's error bodies it uses. Default "plain". */
  readonly errors?: "plain" | "diagnostics";
  /** Only below /api, not below /api/v1. Default false. */
  readonly isUnversioned?: boolean;
  /** @throws ServiceError */
  handle(call: Call): Promise<Answer>;
}

/** A parameter that the route's path names. */
export function param(call: Call, name: string): string {
  return call.params[name] ?? "";
}

export function isFlagSet(call: Call, name: string): boolean {
  return call.query.get(name)?.toLowerCase() === "true";
}
