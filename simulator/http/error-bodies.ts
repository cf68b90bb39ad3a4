/** The service's four ways to word an answer that is not data. */
import type { Answer, Route } from "./route.ts";

/** An error as most routes word it, or with diagnostics as a few do. */
export function errorAnswer(status: number, message: string, form: Route["errors"] = "plain", wallMs = 0): Answer {
  if (form !== "diagnostics") return { status, body: { message, code: status } };
  const time = new Date(wallMs).toISOString();
  const diagnostics = {
    operation: "api error response",
    start_time: time,
    end_time: time,
    path: [],
    errors: [{ code: String(status), message, timestamp: time, component: "api" }],
    warnings: [],
  };
  return { status, body: { message, code: status, diagnostics } };
}

/** @param path as it was asked for, with its prefix. */
export function routeNotFound(path: string): Answer {
  return errorAnswer(404, `resource ${path} not found`);
}

/** Credentials that are no good; without any, the body is `null`. */
export function notAuthorised(hasCredentials: boolean): Answer {
  const body = hasCredentials
    ? { error: "unauthorized_client", error_description: "The token or the API key is not valid" }
    : null;
  return { status: 401, body };
}

/** What a few routes say when they succeeded and have no data. */
export function success(operation: string): Answer {
  return { status: 200, body: { success: true, code: 200, operation } };
}
