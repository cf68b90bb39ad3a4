/** What `server` and `agent` have in common: flags, plain text on this machine only, and an end in order. */
import { flushCompileCache } from "node:module";
import { Option } from "@commander-js/extra-typings";
import { sleep } from "../shared/clock.ts";
import { logLevels } from "../shared/log.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure, wrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";
import { type Address, formatAddress, isLoopback } from "./values/address.ts";

export const insecureOption = new Option("--insecure", "plain text and no authentication; only on this machine itself");
export const logLevelOption = new Option("--log-level <level>", "the least severe lines of the log")
  .choices(logLevels)
  .default("info" as const);
export const configOption = new Option(
  "--config <file>",
  "a JSON object with the flags' names as keys, for flags not given",
);

/** Something that serves until it is closed. */
export interface Service {
  /** Resolves when it has ended by itself or was closed; rejects with what ended it. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** Longer than everything that ends in order takes; a supervisor would kill the process at about this time. */
const closingMaxMs = 30_000;

/** Returns when the service has ended: after the first SIGINT or SIGTERM, in order. A second signal ends the process. */
export async function serveUntilInterrupted(terminal: Terminal, service: Service): Promise<void> {
  const { interrupted, clock } = terminal;
  // All is loaded by now; a service that is killed could not keep what was compiled for the next start.
  flushCompileCache();
  const asked = Promise.withResolvers<void>();
  const onInterrupt = (): void => asked.resolve();
  interrupted.addEventListener("abort", onInterrupt, { once: true });
  if (interrupted.aborted) onInterrupt();
  try {
    await Promise.race([asked.promise, service.closed]);
  } finally {
    interrupted.removeEventListener("abort", onInterrupt);
  }
  const patience = new AbortController();
  const tooLate = sleep(clock, closingMaxMs, patience.signal).then(
    () => {
      throw new Failure("could not end in order in time", { exitCode: exitCodes.timedOut, hint: "It was cut off." });
    },
    () => undefined,
  );
  try {
    await Promise.race([service.close().then(() => service.closed), tooLate]);
  } finally {
    patience.abort();
  }
}

/** With --insecure nothing may leave this machine. */
export function requireLoopback(insecure: true | undefined, addresses: Readonly<Record<string, Address>>): void {
  if (insecure !== true) return;
  for (const [flag, address] of Object.entries(addresses)) {
    if (isLoopback(address.host)) continue;
    throw wrongUsage(
      `${flag} ${formatAddress(address)} can be reached from outside this machine, where plain text is not safe`,
      "Leave --insecure out, or use an address of 127.0.0.0/8 or ::1.",
    );
  }
}
