/** Where a server and an agent keep their data when nobody says so, and what a server leaves there for verbs on its machine. */
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fingerprintOf } from "../shared/tls/fingerprint.ts";
import type { ServerContext } from "./context-file.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** The server's default for --data-dir: in the user's own folder for such things. */
export function defaultServerDataDir(environment: Terminal["environment"]): string {
  return join(stateFolder(environment), "meridian-server");
}

/** Each host has its own, so that a Mac that is renamed, or simulated beside others, finds no other's memory. */
export function defaultAgentDataDir(environment: Terminal["environment"], hostId: string): string {
  return join(stateFolder(environment), "meridian-agent", hostId);
}

function stateFolder({ HOME: home = "", XDG_STATE_HOME: stateHome = "" }: Terminal["environment"]): string {
  const user = home === "" ? homedir() : home;
  if (process.platform === "darwin") return join(user, "Library", "Application Support");
  return stateHome === "" ? join(user, ".local", "state") : stateHome;
}

/** How to reach the server that last served there. Throws a Failure if the directory does not show it. */
export function readServerOf(dataDir: string): ServerContext {
  try {
    const addresses = JSON.parse(readFileSync(join(dataDir, "addresses.json"), "utf8")) as { readonly grpc: string };
    const ca = readFileSync(join(dataDir, "tls", "ca.pem"), "utf8");
    return {
      server: localAddress(addresses.grpc),
      token: readFileSync(join(dataDir, "admin-token"), "utf8").trim(),
      caFingerprint: fingerprintOf(new X509Certificate(ca)),
      ca,
    };
  } catch (error) {
    throw new Failure(
      `${dataDir} does not show how to reach a server: ${error instanceof Error ? error.message : ""}`,
      {
        exitCode: exitCodes.failed,
        hint: "Name the data directory of a server that has served without --insecure, and that you may read.",
        cause: error,
      },
    );
  }
}

/** The server of this user on this machine, that was started without --data-dir; nothing if none has served with TLS there. */
export function readOwnServer(environment: Terminal["environment"]): ServerContext | undefined {
  const dataDir = defaultServerDataDir(environment);
  const isThere = ["addresses.json", "admin-token", join("tls", "ca.pem")].every((file) =>
    existsSync(join(dataDir, file)),
  );
  return isThere ? readServerOf(dataDir) : undefined;
}

/** A server that listens on all addresses is reached on this machine's own. */
function localAddress(address: string): string {
  return address.replace(/^(0\.0\.0\.0|\[::\]):/, "127.0.0.1:");
}
