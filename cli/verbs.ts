/** Small things that many verbs share: examples in help texts, several names at once, many failures. */
import { Failure, failureJson, failureLine, QuietExit, wrongUsage } from "./failure.ts";
import { describeFailure, isConnectionLost } from "./server-failure.ts";
import type { Session } from "./session.ts";

/** The end of a help text. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ meridian ${line}\n`).join("")}`;
}

/** The flag's value, which the verb cannot do without. */
export function requireFlag<T>(value: T | undefined, flag: string, example: string): T {
  if (value === undefined) throw wrongUsage(`${flag} is missing`, `For example: \`${example}\`.`);
  return value;
}

/**
 * Does something to each name, in order. One that fails does not keep the others from being done.
 */
export async function forEachName(
  session: Session,
  names: readonly string[],
  action: (name: string) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const name of names) {
    try {
      await action(name);
    } catch (error) {
      failures.push(error);
      // A server that is away will not be back for the next name.
      if (isConnectionLost(error) || session.terminal.interrupted.aborted) break;
    }
  }
  throwAll(session, failures);
}

/** Ends the verb if anything failed: all failures are told, and the first gives the exit code. */
export function throwAll(session: Session, errors: readonly unknown[]): void {
  const failures = errors.map((error) => describeFailure(error, session.connection, session.terminal.interrupted));
  const [first, ...others] = failures;
  if (first === undefined) return;
  if (others.length === 0 || !(first instanceof Failure)) throw first;
  const told = failures.filter((failure) => failure instanceof Failure);
  // Many alike, such as a hundred refused creates, are said once.
  const texts = new Set(told.map((failure) => (session.isJson ? failureJson(failure) : failureLine(failure))));
  for (const text of texts) session.terminal.stderr.write(`${text}\n`);
  throw new QuietExit(first.options.exitCode);
}
