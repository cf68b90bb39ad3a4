/** What it means to a person when client and server do not agree on TLS: one speaks it and the other not, or a certificate is not good. */
import { connect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { Clock } from "../shared/clock.ts";
import { isPlainText } from "../shared/tls/pinned-ca.ts";
import { tlsProtocol } from "../shared/tls/protocol.ts";
import type { Connection } from "./connection.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { parseAddress } from "./values/address.ts";

const certificateProblems: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet; compare the clocks of both machines",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for other names than this",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself, and by no CA that is trusted here",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not signed by a CA that is trusted here",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate is not signed by a CA that is trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not signed by a CA that is trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not signed by a CA that is trusted here",
};

/** Nothing if the failure is about something else. */
export function tlsFailure(error: unknown, { server }: Connection): Failure | undefined {
  for (const cause of causesOf(error)) {
    if (isPlainText(cause)) {
      return new Failure(`the server at ${server} speaks plain text and no TLS`, {
        exitCode: exitCodes.unavailable,
        code: "UNAVAILABLE",
        hint: "If it is this machine's own, and was started with --insecure, say --insecure here too.",
        cause: error,
      });
    }
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
    const problem = certificateProblems[code];
    if (problem === undefined) continue;
    const hint =
      code === "ERR_TLS_CERT_ALTNAME_INVALID"
        ? "Use a name that it is for, or start the server with --advertise for this one."
        : "Pin the server's CA with --ca-fingerprint, or `meridian context set NAME --ca-fingerprint`; the server's log has it.";
    return new Failure(`the server at ${server} could not prove who it is: ${problem}`, {
      exitCode: exitCodes.denied,
      code: "UNAUTHENTICATED",
      hint,
      cause: error,
    });
  }
  return undefined;
}

/** What to say when a server broke off a connection in plain text: whether it speaks TLS, if so. */
export async function plainTextFailure({ server, trust }: Connection, clock: Clock): Promise<Failure | undefined> {
  if ((trust?.kind ?? "plain") !== "plain" || !(await speaksTls(server, clock))) return undefined;
  return new Failure(`the server at ${server} speaks TLS, and was spoken to in plain text`, {
    exitCode: exitCodes.unavailable,
    code: "UNAVAILABLE",
    hint:
      "Leave --insecure out, and pin its CA: `meridian context set NAME --data-dir DIR` on the server's own machine, or " +
      "--ca-fingerprint with what its log says.",
  });
}

/** Long enough for a handshake on a busy machine. */
const probeMs = 2_000;

function speaksTls(server: string, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(parseAddress(server));
    // Nothing is sent, so it does not matter who answers.
    const tls = tlsConnect({ socket, ...tlsProtocol, rejectUnauthorized: false, ALPNProtocols: ["h2", "http/1.1"] });
    const end = (answer: boolean): void => {
      timer.cancel();
      tls.destroy();
      socket.destroy();
      resolve(answer);
    };
    const timer = clock.after(probeMs, () => end(false));
    socket.on("error", () => end(false));
    tls.on("error", () => end(false));
    tls.on("close", () => end(false));
    tls.once("secureConnect", () => end(true));
  });
}

function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  // A chain of causes is short; the bound guards against one that bites its own tail.
  for (let cause = error; cause instanceof Error && causes.length < 8; cause = cause.cause) causes.push(cause);
  return causes;
}
