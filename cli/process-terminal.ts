/** The terminal of the process that runs: the one place of the command line that knows `process`. */
import { clearInterval, setInterval } from "node:timers";
import { isatty } from "node:tty";
import { systemClock } from "../shared/clock.ts";
import type { Output, Terminal } from "./terminal.ts";

/** Any period does: the timer is there to be there. */
const keepAliveMs = 2 ** 31 - 1;

/** @param endAtOnce called for a second signal, and with 0 when nobody reads the output any more. */
export function openProcessTerminal(endAtOnce: (exitCode: number) => void): {
  readonly terminal: Terminal;
  /** Lets the process end. */
  readonly close: () => void;
} {
  // The timers of shared/clock.ts do not keep a process alive, but a verb that sleeps before it tries again must.
  const keepAlive = setInterval(() => undefined, keepAliveMs);
  const interruption = new AbortController();
  const onSignal = (exitCode: number) => (): void => {
    if (interruption.signal.aborted) endAtOnce(exitCode);
    else interruption.abort(new Error("interrupted"));
  };
  process.on("SIGINT", onSignal(130));
  process.on("SIGTERM", onSignal(143));
  // `meridian vm list | head` closes the pipe early; that is no mistake of anybody's.
  const onOutputError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE") throw error;
    endAtOnce(0);
  };
  process.stdout.on("error", onOutputError);
  process.stderr.on("error", onOutputError);
  return {
    terminal: {
      stdout: processOutput(process.stdout),
      stderr: processOutput(process.stderr),
      environment: process.env,
      clock: systemClock,
      interrupted: interruption.signal,
    },
    close: () => clearInterval(keepAlive),
  };
}

function processOutput(stream: NodeJS.WriteStream & { readonly fd: number }): Output {
  return {
    write: (data) => void stream.write(data),
    drained: () => {
      if (!stream.writableNeedDrain) return Promise.resolve();
      return new Promise((resolve) => stream.once("drain", () => resolve()));
    },
    isTerminal: isatty(stream.fd),
    columns: () => (stream.isTTY && stream.columns > 0 ? stream.columns : Number.POSITIVE_INFINITY),
  };
}
