/**
 * What the command line may touch of the world: two outputs, the environment, time, and the wish to be interrupted.
 * `process-terminal.ts` is the real one; tests hand in their own, so that a verb runs inside the test's process.
 */
import type { Clock } from "../shared/clock.ts";

export interface Output {
  write(data: string | Uint8Array): void;
  /** Resolves once the reader can take more, so that a slow one slows the writer down instead of filling memory. */
  drained(): Promise<void>;
  readonly isTerminal: boolean;
  /** The terminal's width in characters; infinite when it is no terminal, so that pipes get whole texts. */
  columns(): number;
}

export interface Terminal {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborted by the first SIGINT or SIGTERM: finish in order. A second signal ends the process without asking. */
  readonly interrupted: AbortSignal;
}

/** Whether colour helps the reader of this output (see no-color.org). */
export function hasColour(terminal: Terminal, output: Output): boolean {
  const { NO_COLOR: noColour = "", TERM: term } = terminal.environment;
  return output.isTerminal && noColour === "" && term !== "dumb";
}
