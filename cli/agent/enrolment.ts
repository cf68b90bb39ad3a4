/** How the agent's verb comes to the identity of its host: from the data directory, or with a join token. */
import { InvalidArgumentError } from "@commander-js/extra-typings";
import type { Identity, IdentityStore } from "../../agent/identity/identity.ts";
import type { Logger } from "../../shared/log.ts";
import { type JoinTokenContent, parseJoinToken } from "../../shared/tls/join-token.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure, QuietExit, wrongUsage } from "../failure.ts";
import type { Terminal } from "../terminal.ts";

export interface EnrolmentOptions {
  readonly token: JoinTokenContent | undefined;
  readonly dataDir: string;
  readonly hostId: string;
  /** Where to dial instead of where the token says. */
  readonly servers: readonly string[] | undefined;
  readonly random: () => number;
  readonly log: Logger;
  readonly terminal: Terminal;
}

/** A flag's value. */
export function parseJoinTokenFlag(text: string): JoinTokenContent {
  const token = parseJoinToken(text);
  if ("problem" in token) throw new InvalidArgumentError(`${token.problem}.`);
  return token;
}

/**
 * The identity that the host has, or gets with the token. The token that it got it with is no news: it may stand in a file
 * that every start reads. Another one enrols the host anew.
 */
export async function enrolledIdentity(
  options: EnrolmentOptions,
): Promise<{ readonly identity: Identity; readonly store: IdentityStore }> {
  const { token, dataDir, hostId, servers, random, log, terminal } = options;
  const [{ openIdentityFile, IdentityUnreadable }, { enrol, EnrolmentRefused }] = await Promise.all([
    import("../../agent/identity/identity-file.ts"),
    import("../../agent/identity/enrol.ts"),
  ]);
  const store = openIdentityFile(dataDir);
  const known = await store.read().catch((error: unknown) => {
    throw error instanceof IdentityUnreadable ? new Failure(error.message, { exitCode: exitCodes.failed }) : error;
  });
  if (known !== undefined && known.hostId !== hostId) {
    throw wrongUsage(
      `the agent in ${dataDir} is enrolled as ${known.hostId}, not as ${hostId}`,
      `Say --host ${known.hostId}, or name another data directory.`,
    );
  }
  if (known !== undefined && (token === undefined || token.id === known.joinToken)) return { identity: known, store };
  if (token === undefined) {
    throw wrongUsage(
      "this Mac is not enrolled yet",
      "`meridian token create --join` makes a token; give it as --join-token or MERIDIAN_JOIN_TOKEN.",
    );
  }
  const { clock, interrupted: signal } = terminal;
  try {
    const identity = await enrol({ token, hostId, store, clock, random, log, signal, ...(servers && { servers }) });
    return { identity, store };
  } catch (error) {
    if (signal.aborted) throw new QuietExit(exitCodes.interrupted);
    if (!(error instanceof EnrolmentRefused)) throw error;
    throw new Failure(`${hostId} was not let into the pool: ${error.message}`, {
      exitCode: exitCodes.denied,
      cause: error,
    });
  }
}
