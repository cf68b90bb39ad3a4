/**
 * Which server, with which token: from flags, then the environment, then the context file, then the default. This is where
 * plain text to another machine is refused, and the one place that makes the transport.
 */
import { type CommandUnknownOpts, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { contextFilePath, readContextFile } from "./context-file.ts";
import { wrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";
import { formatAddress, isLoopback, parseAddress } from "./values/address.ts";
import { parseDurationMs } from "./values/duration.ts";

export const defaultServer = "127.0.0.1:7070";
export const defaultTimeoutMs = 30_000;

/** Longer answers than any list page can be: a page holds at most 1,000 resources. */
const messageMaxBytes = 64 * 1024 * 1024;

export interface Connection {
  /** host:port. */
  readonly server: string;
  readonly token?: string;
  /** The deadline of each call. */
  readonly timeoutMs: number;
}

/** The flags of every verb that talks to a server. */
export function connectionOptions(): readonly Option[] {
  return [
    new Option("--server <address>", `the server's gRPC address (default: the context's, or ${defaultServer})`),
    new Option("--token <token>", "proves who you are; better in MERIDIAN_TOKEN, since others can see your flags"),
    new Option("--context <name>", "use this server of the context file"),
    new Option("--insecure", "plain text; only to this machine itself"),
    new Option("--timeout <duration>", "how long a call may take (default: 30s)").argParser(parseDurationMs),
    new Option("--json", "print JSON"),
  ];
}

/** What a verb's flags, with the environment behind them, say about the connection. */
export interface ConnectionFlags {
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly context: string | undefined;
  readonly timeoutMs: number | undefined;
}

/** These flags are added to finished verbs, so their types are checked here instead of inferred. */
export function connectionFlags(command: CommandUnknownOpts): ConnectionFlags {
  const { server, token, context, timeout } = command.optsWithGlobals();
  return {
    server: typeof server === "string" ? server : undefined,
    token: typeof token === "string" ? token : undefined,
    context: typeof context === "string" ? context : undefined,
    timeoutMs: typeof timeout === "number" ? timeout : undefined,
  };
}

/** What the flags of a verb and the context file say. */
export function resolveConnection(flags: ConnectionFlags, terminal: Terminal): Connection {
  const file = readContextFile(contextFilePath(terminal.environment));
  const contextName = flags.context ?? (flags.server === undefined ? file.current : undefined);
  const context =
    contextName !== undefined && Object.hasOwn(file.contexts, contextName) ? file.contexts[contextName] : undefined;
  if (contextName !== undefined && context === undefined) {
    throw wrongUsage(
      `there is no context ${contextName}`,
      "`meridian context list` shows those there are; `meridian context set NAME --server HOST:PORT` adds one.",
    );
  }
  const server = flags.server ?? context?.server ?? defaultServer;
  const token = flags.token ?? context?.token;
  const timeoutMs = flags.timeoutMs ?? defaultTimeoutMs;
  return { server: checkedServer(server), timeoutMs, ...(token !== undefined && { token }) };
}

export function isJsonWanted(command: CommandUnknownOpts): boolean {
  return command.optsWithGlobals()["json"] === true;
}

/** A transport to the server, and how to end it. */
export function openTransport(connection: Connection): { readonly transport: Transport; readonly close: () => void } {
  const baseUrl = `http://${connection.server}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    defaultTimeoutMs: connection.timeoutMs,
    readMaxBytes: messageMaxBytes,
    interceptors: connection.token === undefined ? [] : [bearer(connection.token)],
  });
  return { transport, close: () => sessionManager.abort() };
}

function checkedServer(text: string): string {
  try {
    const address = parseAddress(text);
    if (isLoopback(address.host)) return formatAddress(address);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw wrongUsage(`${text} is no address of a server`, error.message);
    throw error;
  }
  throw wrongUsage(
    `${text} is another machine, and this version has no TLS yet: the token and all else would travel in plain text`,
    `Reach it through a tunnel: \`ssh -L 7070:127.0.0.1:7070 THAT-MACHINE\`, then --server ${defaultServer}.`,
  );
}

function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
