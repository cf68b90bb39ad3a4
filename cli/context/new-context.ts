/** What `context set` makes of its flags, of what the context was before, and of a server's data directory. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Fingerprint, fingerprintOf } from "../../shared/tls/fingerprint.ts";
import type { ServerContext } from "../context-file.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure, wrongUsage } from "../failure.ts";
import type { Terminal } from "../terminal.ts";
import { pinnedCa, readCaFile } from "../trust.ts";
import { parseAddress } from "../values/address.ts";
import { requireFlag } from "../verbs.ts";

export interface ContextFlags {
  readonly server?: string | undefined;
  readonly token?: string | undefined;
  readonly caFingerprint?: Fingerprint | undefined;
  readonly caFile?: string | undefined;
  readonly dataDir?: string | undefined;
}

export async function newContext(
  name: string,
  { old, flags }: { readonly old: ServerContext | undefined; readonly flags: ContextFlags },
  terminal: Terminal,
): Promise<ServerContext> {
  const example = `meridian context set ${name} --server 127.0.0.1:7070`;
  const found = flags.dataDir === undefined ? undefined : readDataDirectory(flags.dataDir);
  const server = requireFlag(flags.server ?? found?.server ?? old?.server, "--server", example);
  const token = flags.token ?? found?.token ?? old?.token;
  // Another server has another CA; what was pinned for the old one says nothing of it.
  const kept = old?.server === server ? old : undefined;
  const trust = (await trustOf(flags, server, terminal)) ?? found ?? kept;
  const { ca, caFingerprint } = trust ?? {};
  return {
    server,
    ...(token !== undefined && { token }),
    ...(caFingerprint !== undefined && { caFingerprint }),
    ...(ca !== undefined && { ca }),
  };
}

type Pinned = Pick<ServerContext, "ca" | "caFingerprint">;

async function trustOf(flags: ContextFlags, server: string, terminal: Terminal): Promise<Pinned | undefined> {
  const { caFile, caFingerprint } = flags;
  if (caFile !== undefined && caFingerprint !== undefined) {
    throw wrongUsage("--ca-file and --ca-fingerprint exclude each other");
  }
  if (caFile !== undefined) return { ca: readCaFile(caFile) };
  if (caFingerprint === undefined) return undefined;
  return { caFingerprint, ca: await pinnedCa(parseAddress(server), caFingerprint, terminal) };
}

/** What a server on this machine has left there for whoever may read it. */
function readDataDirectory(dataDir: string): ServerContext {
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

/** A server that listens on all addresses is reached on this machine's own. */
function localAddress(address: string): string {
  return address.replace(/^(0\.0\.0\.0|\[::\]):/, "127.0.0.1:");
}
