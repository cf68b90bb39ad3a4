/**
 * A token that a command prints, such as one that asks a build system for the job's own: such tokens are good for minutes, and a
 * wait can take longer.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Clock } from "../shared/clock.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";

/** Where calls get the token from that they send. */
export interface TokenSource {
  token(): Promise<string>;
  /** The server did not take the one it got. */
  forget(): void;
}

/** How long a token is used again: well below what any issuer gives. */
const keepMs = 60_000;
const timeoutMs = 30_000;
const outputBytesMax = 64 * 1024;

export interface TokenCommandOptions {
  readonly command: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Runs the command with the shell when a token is needed: once, however many calls begin at the same time. */
export function tokenFromCommand(options: TokenCommandOptions): TokenSource {
  const { clock } = options;
  let kept: { readonly token: Promise<string>; readonly untilMs: number } | undefined;
  const forget = (): void => {
    kept = undefined;
  };
  return {
    token: () => {
      if (kept !== undefined && clock.monotonicMs() < kept.untilMs) return kept.token;
      const token = run(options);
      kept = { token, untilMs: clock.monotonicMs() + keepMs };
      token.catch(forget);
      return token;
    },
    forget,
  };
}

async function run({ command, environment, signal }: TokenCommandOptions): Promise<string> {
  let output: string;
  try {
    ({ stdout: output } = await promisify(execFile)("/bin/sh", ["-c", command], {
      env: environment,
      timeout: timeoutMs,
      maxBuffer: outputBytesMax,
      signal,
    }));
  } catch (error) {
    if (signal.aborted) throw error;
    throw failure(problemOf(error), error);
  }
  const token = output.trim();
  // Shown neither here nor anywhere else: it may be a token with something beside it.
  if (!/^\S+$/.test(token)) throw failure("it must print a token and nothing else");
  return token;
}

function problemOf(error: unknown): string {
  const { killed, code, stderr } = error as { killed?: boolean; code?: unknown; stderr?: unknown };
  if (killed === true) return `it did not end within ${timeoutMs / 1000} s, or printed too much`;
  const said = typeof stderr === "string" ? stderr.trim().split("\n").at(-1) : undefined;
  const exit = `it ended with exit code ${String(code)}`;
  return said === undefined || said === "" ? exit : `${exit}: ${said.slice(0, 200)}`;
}

function failure(problem: string, cause?: unknown): Failure {
  return new Failure(`the token command failed: ${problem}`, {
    exitCode: exitCodes.denied,
    hint: "Run what --token-command or MERIDIAN_TOKEN_COMMAND says by hand.",
    ...(cause !== undefined && { cause }),
  });
}
