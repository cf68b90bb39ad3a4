/** What `context set` makes of its flags, of what the context was before, and of a server's data directory. */
import type { Fingerprint } from "../../shared/tls/fingerprint.ts";
import type { ServerContext } from "../context-file.ts";
import { readServerOf } from "../data-directory.ts";
import { wrongUsage } from "../failure.ts";
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
  const found = flags.dataDir === undefined ? undefined : readServerOf(flags.dataDir);
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
