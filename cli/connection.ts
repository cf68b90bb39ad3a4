/**
 * Which server, with which token: from flags, then the environment, then the context file, then what a server of this user on
 * this machine shows, then the default. This is the one
 * place that makes the transport; how the server proves itself is decided in `trust.ts`.
 */
import { type CommandUnknownOpts, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Fingerprint, parseFingerprint } from "../shared/tls/fingerprint.ts";
import { tlsProtocol } from "../shared/tls/protocol.ts";
import { contextFilePath, readContextFile, type ServerContext } from "./context-file.ts";
import { readOwnServer } from "./data-directory.ts";
import { wrongUsage } from "./failure.ts";
import type { Terminal } from "./terminal.ts";
import { type TokenSource, tokenFromCommand } from "./token-command.ts";
import { parseFingerprintFlag, readCaFile, resolveTrust, type Trust, type TrustSettings } from "./trust.ts";
import { type Address, formatAddress, parseAddress } from "./values/address.ts";
import { parseDurationMs } from "./values/duration.ts";

export const defaultServer = "127.0.0.1:7070";
export const defaultTimeoutMs = 30_000;

/** Longer answers than any list page can be: a page holds at most 1,000 resources. */
const messageMaxBytes = 64 * 1024 * 1024;

export interface Connection {
  /** host:port. */
  readonly server: string;
  /** What proves who calls. */
  readonly token?: string;
  /** Or where that comes from, if another one can be had when it has ended. */
  readonly tokenSource?: TokenSource;
  /** The deadline of each call. */
  readonly timeoutMs: number;
  /** Default plain text. */
  readonly trust?: Trust;
}

/** The flags of every verb that talks to a server. */
export function connectionOptions(): readonly Option[] {
  return [
    new Option(
      "--server <address>",
      `the server's gRPC address (default: the context's, that of a server here, or ${defaultServer})`,
    ),
    new Option("--token <token>", "proves who you are; better in MERIDIAN_TOKEN, since others can see your flags"),
    new Option("--token-command <command>", "prints the token, when one is needed: for tokens that end soon"),
    new Option("--context <name>", "use this server of the context file"),
    new Option("--ca-fingerprint <digest>", "the server's CA, as its log has it: sha256:…").argParser(
      parseFingerprintFlag,
    ),
    new Option("--ca-file <file>", "or its certificate in PEM"),
    new Option("--insecure", "plain text; only to this machine itself"),
    new Option("--timeout <duration>", "how long a call may take (default: 30s)").argParser(parseDurationMs),
    new Option("--json", "print JSON"),
  ];
}

/** What a verb's flags, with the environment behind them, say about the connection. */
export interface ConnectionFlags {
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly tokenCommand: string | undefined;
  readonly context: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly insecure: boolean;
  readonly caFingerprint: Fingerprint | undefined;
  readonly caFile: string | undefined;
}

/** These flags are added to finished verbs, so their types are checked here instead of inferred. */
export function connectionFlags(command: CommandUnknownOpts): ConnectionFlags {
  const options = command.optsWithGlobals();
  const text = (flag: string): string | undefined => {
    const value: unknown = options[flag];
    return typeof value === "string" ? value : undefined;
  };
  const timeout: unknown = options["timeout"];
  const fingerprint = text("caFingerprint");
  return {
    server: text("server"),
    token: text("token"),
    tokenCommand: text("tokenCommand"),
    context: text("context"),
    timeoutMs: typeof timeout === "number" ? timeout : undefined,
    insecure: options["insecure"] === true,
    caFingerprint: fingerprint === undefined ? undefined : parseFingerprint(fingerprint),
    caFile: text("caFile"),
  };
}

/** What the flags of a verb and the context file say. Asks the server for its CA if only the fingerprint of that is known. */
export async function resolveConnection(flags: ConnectionFlags, terminal: Terminal): Promise<Connection> {
  const context = contextOf(flags, terminal) ?? ownServer(flags, terminal);
  const server = checkedAddress(flags.server ?? context?.server ?? defaultServer);
  const token = flags.token ?? (flags.tokenCommand === undefined ? context?.token : undefined);
  const tokenSource = tokenSourceOf(flags, terminal);
  return {
    server: formatAddress(server),
    timeoutMs: flags.timeoutMs ?? defaultTimeoutMs,
    ...(token !== undefined && { token }),
    ...(tokenSource !== undefined && { tokenSource }),
    trust: await resolveTrust(trustSettings(flags, context), server, terminal),
  };
}

/** A token that is said outright wins over a command, and both over what the context has. */
function tokenSourceOf(
  { token, tokenCommand: command }: ConnectionFlags,
  { environment, clock, interrupted: signal }: Terminal,
): TokenSource | undefined {
  if (token !== undefined || command === undefined) return undefined;
  return tokenFromCommand({ command, environment, clock, signal });
}

/** Flags win as a whole: a pin of theirs is not softened by what a context has. */
function trustSettings(flags: ConnectionFlags, context: ServerContext | undefined): TrustSettings {
  const { insecure, caFile, caFingerprint } = flags;
  if (insecure) return { insecure };
  if (caFile !== undefined) return { ca: readCaFile(caFile) };
  if (caFingerprint !== undefined) return { caFingerprint };
  return { ca: context?.ca, caFingerprint: context?.caFingerprint };
}

function contextOf(flags: ConnectionFlags, terminal: Terminal): ServerContext | undefined {
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
  return context;
}

/** Whoever says where to go, or how, means no server that happens to be here. */
function ownServer(
  { server, insecure, caFile, caFingerprint }: ConnectionFlags,
  terminal: Terminal,
): ServerContext | undefined {
  const isSaid = server !== undefined || insecure || caFile !== undefined || caFingerprint !== undefined;
  return isSaid ? undefined : readOwnServer(terminal.environment);
}

export function isJsonWanted(command: CommandUnknownOpts): boolean {
  return command.optsWithGlobals()["json"] === true;
}

/** A transport to the server, and how to end it. */
export function openTransport(connection: Connection): { readonly transport: Transport; readonly close: () => void } {
  const { trust = { kind: "plain" } } = connection;
  const isPlain = trust.kind === "plain";
  const baseUrl = `${isPlain ? "http" : "https"}://${connection.server}`;
  const tlsOptions = isPlain ? {} : { ...tlsProtocol, ...(trust.ca !== undefined && { ca: trust.ca }) };
  const sessionManager = new Http2SessionManager(baseUrl, undefined, tlsOptions);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    defaultTimeoutMs: connection.timeoutMs,
    readMaxBytes: messageMaxBytes,
    interceptors: [...proofOf(connection)],
  });
  return { transport, close: () => sessionManager.abort() };
}

function checkedAddress(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw wrongUsage(`${text} is no address of a server`, error.message);
    throw error;
  }
}

function proofOf({ token, tokenSource }: Connection): readonly Interceptor[] {
  if (tokenSource !== undefined) return [bearer(tokenSource)];
  return token === undefined ? [] : [bearer({ token: () => Promise.resolve(token), forget: () => undefined })];
}

function bearer(tokens: TokenSource): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${await tokens.token()}`);
    try {
      return await next(request);
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.Unauthenticated) tokens.forget();
      throw error;
    }
  };
}
