/**
 * How a verb fails: one sentence that says what happened, one that says what to do, and an exit code for scripts.
 * Everything thrown on the way becomes a `Failure` at the latest in `main`.
 */
import { exitCodes } from "./exit-codes.ts";
import { printable } from "./output/text.ts";

export interface FailureOptions {
  readonly exitCode: number;
  /** What to do about it: one or more whole sentences. */
  readonly hint?: string;
  /** The gRPC code's name, when a server said so. */
  readonly code?: string;
  /** The server's reason, such as RESOURCE_NOT_FOUND. */
  readonly reason?: string;
  /** The variables of the message. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The fields of the request that are wrong. */
  readonly fields?: readonly { readonly field: string; readonly description: string }[];
  readonly cause?: unknown;
}

export class Failure extends Error {
  override readonly name = "Failure";
  readonly options: FailureOptions;

  constructor(message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.options = options;
  }
}

/** Everything that had to be said has been written; only the exit code is left to set. */
export class QuietExit extends Error {
  override readonly name = "QuietExit";
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export function wrongUsage(message: string, hint?: string): Failure {
  return new Failure(message, { exitCode: exitCodes.wrongUsage, ...(hint !== undefined && { hint }) });
}

/** The failure on one line: `meridian: what happened. What to do.` */
export function failureLine(failure: Failure): string {
  const { hint, fields = [] } = failure.options;
  const unsaid = fields.filter(({ description }) => !failure.message.includes(description));
  const listed = unsaid.map(({ field, description }) => `${field}: ${description}`).join("; ");
  const what = [failure.message, listed].filter((part) => part !== "").join(": ");
  const sentences = [asSentence(what), ...(hint === undefined ? [] : [asSentence(hint)])];
  return printable(`meridian: ${sentences.join(" ")}`);
}

/** The failure as a program reads it, one line of JSON. */
export function failureJson(failure: Failure): string {
  const { exitCode, cause: _cause, ...rest } = failure.options;
  return JSON.stringify({ error: { message: failure.message, ...rest, exitCode } });
}

function asSentence(text: string): string {
  return /[.!?)]$/.test(text) ? text : `${text}.`;
}
