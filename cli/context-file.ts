/**
 * The servers that a person works with, by name, in `contexts.json` under $XDG_CONFIG_HOME/meridian or ~/.config/meridian.
 * It holds tokens, so only its owner may read it. A write replaces the file as a whole.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { type Fingerprint, parseFingerprint } from "../shared/tls/fingerprint.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

export interface ServerContext {
  /** host:port of the gRPC port. */
  readonly server: string;
  readonly token?: string;
  /** Of the server's CA. */
  readonly caFingerprint?: Fingerprint;
  /** The CA's certificate in PEM. With neither of the two the server is spoken to in plain text, or by this machine's roots. */
  readonly ca?: string;
}

export interface ContextFile {
  /** The name of the context that verbs use when nothing else is said. */
  readonly current?: string;
  readonly contexts: Readonly<Record<string, ServerContext>>;
}

export function contextFilePath(environment: Terminal["environment"]): string {
  const { XDG_CONFIG_HOME: configHome = "", HOME: home = "" } = environment;
  const base = configHome === "" ? join(home === "" ? homedir() : home, ".config") : configHome;
  return join(base, "meridian", "contexts.json");
}

/** The file's content; empty if there is no file. */
export function readContextFile(path: string): ContextFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { contexts: {} };
    throw unreadable(path, error);
  }
  try {
    return asContextFile(JSON.parse(text));
  } catch (error) {
    throw unreadable(path, error);
  }
}

export function writeContextFile(path: string, content: ContextFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.draft`;
  try {
    writeFileSync(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
    // The mode above counts for new files only, and a draft could be left over.
    chmodSync(draft, 0o600);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function asContextFile(value: unknown): ContextFile {
  if (!isRecord(value) || !isRecord(value["contexts"])) throw new Error("it is not of the expected form");
  const contexts = new Map<string, ServerContext>();
  for (const [name, context] of Object.entries(value["contexts"])) {
    if (!isRecord(context) || typeof context["server"] !== "string") throw new Error(`"${name}" names no server`);
    const { server, token, ca, caFingerprint } = context;
    const pin = typeof caFingerprint === "string" ? parseFingerprint(caFingerprint) : undefined;
    // A pin that cannot be read must not count as none.
    if (caFingerprint !== undefined && pin === undefined)
      throw new Error(`"${name}" has no caFingerprint of the right form`);
    contexts.set(name, {
      server,
      ...(typeof token === "string" && { token }),
      ...(pin !== undefined && { caFingerprint: pin }),
      ...(typeof ca === "string" && { ca }),
    });
  }
  const current = value["current"];
  // As own fields, whatever they are called.
  return { ...(typeof current === "string" && { current }), contexts: Object.fromEntries(contexts) };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function unreadable(path: string, cause: unknown): Failure {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Failure(`cannot read the contexts in ${path}: ${why}`, {
    exitCode: exitCodes.failed,
    hint: "Repair or remove the file; `meridian context set` makes a new one.",
    cause,
  });
}
