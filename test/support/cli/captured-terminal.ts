/** A terminal for verbs that run inside a test: it keeps what is written and can be as wide, or as little a terminal, as wanted. */

import type { Output, Terminal } from "../../../cli/terminal.ts";
import { systemClock } from "../../../shared/clock.ts";

export interface CapturedTerminal extends Terminal {
  /** What was written to standard output so far. */
  readonly out: () => string;
  /** What was written to standard error so far. */
  readonly err: () => string;
  interrupt(): void;
}

export interface CapturedTerminalOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Both outputs are terminals of this many columns. Absent: both are pipes. */
  readonly columns?: number;
}

export function captureTerminal({ environment = {}, columns }: CapturedTerminalOptions = {}): CapturedTerminal {
  const interruption = new AbortController();
  const stdout = captureOutput(columns);
  const stderr = captureOutput(columns);
  return {
    stdout,
    stderr,
    // No test may find the contexts of the person who runs it.
    environment: { XDG_CONFIG_HOME: "/nonexistent", ...environment },
    clock: systemClock,
    interrupted: interruption.signal,
    out: stdout.text,
    err: stderr.text,
    interrupt: () => interruption.abort(new Error("interrupted")),
  };
}

function captureOutput(columns: number | undefined): Output & { readonly text: () => string } {
  const chunks: Buffer[] = [];
  return {
    write: (data) => void chunks.push(Buffer.from(data)),
    drained: () => Promise.resolve(),
    isTerminal: columns !== undefined,
    columns: () => columns ?? Number.POSITIVE_INFINITY,
    text: () => Buffer.concat(chunks).toString("utf8"),
  };
}
