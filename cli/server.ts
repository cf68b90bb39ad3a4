/** `meridian server`: runs the control plane until it is told to stop, or restores a backup to run it on. */
import { isIP } from "node:net";
import { type CommandUnknownOpts, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { KeyStoreSettings } from "../server/secrets/key-store.ts";
import type { ServerOptions } from "../server/server.ts";
import type { TlsSettings } from "../server/tls/open-security.ts";
import { MeridianError } from "../shared/errors.ts";
import { randomIds } from "../shared/ids.ts";
import { createLogger, type LogLevel } from "../shared/log.ts";
import { defaultServerDataDir } from "./data-directory.ts";
import { applyConfigFile } from "./environment.ts";
import { wrongUsage } from "./failure.ts";
import { silenceGrpc } from "./grpc-log.ts";
import type { Program } from "./program-type.ts";
import { configOption, insecureOption, logLevelOption, requireLoopback, serveUntilInterrupted } from "./service.ts";
import type { Terminal } from "./terminal.ts";
import { parseAddress } from "./values/address.ts";
import { examples, requireFlag } from "./verbs.ts";
import { readVersion } from "./version.ts";

const defaultListen = "127.0.0.1:7070";
const defaultAgentListen = "127.0.0.1:7071";
const defaultHttpListen = "127.0.0.1:7080";

export function registerServer(program: Program, terminal: Terminal): void {
  const noun = program
    .command("server")
    .summary("run the control plane")
    .description(
      "Runs the control plane until interrupted. Once it serves, the addresses stand in DATA_DIR/addresses.json. " +
        "The first start makes a CA of the pool's own, in DATA_DIR/tls, and the operator's token, in DATA_DIR/admin-token; " +
        "`meridian context set NAME --data-dir DIR` takes both. Without --data-dir verbs on this machine find them by themselves.",
    )
    .option(
      "--data-dir <dir>",
      "where everything is kept; made if it is not there (default: in the user's own folder for such things)",
    )
    .addOption(new Option("--listen <address>", `for gRPC clients (default: ${defaultListen})`).argParser(parseAddress))
    .addOption(
      new Option("--agent-listen <address>", `for agents (default: ${defaultAgentListen})`).argParser(parseAddress),
    )
    .addOption(
      new Option("--http-listen <address>", `for browsers and curl (default: ${defaultHttpListen})`).argParser(
        parseAddress,
      ),
    )
    .addOption(
      new Option(
        "--advertise <name>",
        "a name or address, without a port, by which others reach this server; may be repeated (default: what it finds)",
      ).argParser(collectName),
    )
    .option("--tls-cert <file>", "a certificate of your own for clients, in PEM, with those that lead to its root")
    .option("--tls-key <file>", "and its private key; both are read again when they change")
    .option(
      "--secrets-key-file <file>",
      "the key that seals secrets, made if it is not there (default: DATA_DIR/secrets.key); or MERIDIAN_SECRETS_KEY is the key",
    )
    .addOption(insecureOption)
    .addOption(logLevelOption)
    .addOption(configOption)
    .addHelpText(
      "after",
      examples(
        "server",
        "server --data-dir ~/meridian",
        "server --data-dir ~/meridian --listen 0.0.0.0:7070 --agent-listen 0.0.0.0:7071 --advertise pool.example.com",
        "server --insecure --data-dir /tmp/m --listen 127.0.0.1:0 --agent-listen 127.0.0.1:0 --http-listen 127.0.0.1:0",
        "server --config /etc/meridian/server.json",
      ),
    );
  registerRestore(noun, terminal);
  registerForgetSecrets(noun, terminal);
  noun.action(async ({ config }, command) => {
    if (config !== undefined) applyConfigFile(command, config);
    // The flags again, since the file may have filled some in.
    const flags = noun.opts();
    const addresses = {
      listen: flags.listen ?? parseAddress(defaultListen),
      agentListen: flags.agentListen ?? parseAddress(defaultAgentListen),
      httpListen: flags.httpListen ?? parseAddress(defaultHttpListen),
    };
    requireLoopback(flags.insecure, {
      "--listen": addresses.listen,
      "--agent-listen": addresses.agentListen,
      "--http-listen": addresses.httpListen,
    });
    const dataDir = flags.dataDir ?? defaultServerDataDir(terminal.environment);
    const insecure = flags.insecure === true;
    const tls = tlsSettings(flags);
    const secretsKeys = keySettings(terminal, flags.secretsKeyFile);
    await serve(terminal, { ...addresses, dataDir, insecure, tls, secretsKeys, logLevel: flags.logLevel });
  });
}

interface TlsFlags {
  readonly advertise?: readonly string[] | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly insecure?: true | undefined;
}

function tlsSettings({ advertise = [], tlsCert, tlsKey, insecure }: TlsFlags): TlsSettings {
  if (tlsCert === undefined && tlsKey === undefined) return { advertise };
  if (insecure === true) throw wrongUsage("--insecure speaks no TLS, so --tls-cert and --tls-key mean nothing with it");
  if (tlsCert === undefined || tlsKey === undefined) throw wrongUsage("--tls-cert and --tls-key go together");
  return { advertise, ownCertificate: { certificate: tlsCert, key: tlsKey } };
}

function collectName(text: string, previous: readonly string[] = []): readonly string[] {
  if (isIP(text) === 0 && !/^(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*$/.test(text)) {
    throw new InvalidArgumentError("Write a host name or an address, without a port.");
  }
  return [...previous, text];
}

function registerRestore(noun: CommandUnknownOpts, terminal: Terminal): void {
  noun
    .command("restore")
    .summary("make a data directory of a backup")
    .description(
      "Makes a new data directory of a backup that `meridian pool backup` wrote, for a server to be started on. The directory " +
        "must be empty or absent; a backup that is cut or altered is refused. Start no second server on another copy of " +
        "the same pool.",
    )
    .option("--data-dir <dir>", "the directory to make")
    .option("--from <file>", "the backup")
    .addHelpText("after", examples("server restore --data-dir ~/meridian-restored --from meridian.backup"))
    .action(async ({ dataDir, from }) => {
      const example = "meridian server restore --data-dir ~/meridian-restored --from meridian.backup";
      await restore(terminal, {
        dataDir: requireFlag(dataDir, "--data-dir", example),
        file: requireFlag(from, "--from", example),
      });
    });
}

async function restore(
  { stdout, clock }: Terminal,
  { dataDir, file }: { readonly dataDir: string; readonly file: string },
): Promise<void> {
  const { restoreDataDirectory } = await import("../server/restore.ts");
  const { backup, records, revision } = await restoreDataDirectory({ file, dataDir, clock });
  stdout.write(
    `${dataDir}: ${records} records of revision ${backup.revision}, backed up at ${backup.createTime}; ` +
      `the pool goes on at revision ${revision}\n`,
  );
}

/** A variable without a flag: others can see the flags of a process. */
function keySettings({ environment }: Terminal, file: string | undefined): KeyStoreSettings {
  const keys = environment["MERIDIAN_SECRETS_KEY"];
  if (file !== undefined && keys !== undefined && keys !== "") {
    throw wrongUsage("MERIDIAN_SECRETS_KEY and --secrets-key-file exclude each other");
  }
  return { file, environment: keys };
}

function registerForgetSecrets(noun: CommandUnknownOpts, terminal: Terminal): void {
  noun
    .command("forget-secrets")
    .summary("remove secrets that can no longer be opened")
    .description(
      "Removes from a data directory the secrets that no key opens any more, such as the credentials of catalogs, so that a " +
        "server can be started on it and be given them again. Only for when the key is lost for ever.",
    )
    .option("--data-dir <dir>", "the server's data directory; no server may run on it")
    .option(
      "--secrets-key-file <file>",
      "keys whose secrets are to stay (default: DATA_DIR/secrets.key, if it is there)",
    )
    .addHelpText("after", examples("server forget-secrets --data-dir ~/meridian"))
    .action(async ({ dataDir, secretsKeyFile }) => {
      const directory = requireFlag(dataDir, "--data-dir", "meridian server forget-secrets --data-dir ~/meridian");
      const { forgetSecrets } = await import("../server/forget-secrets.ts");
      const { clock, stdout } = terminal;
      const keys = keySettings(terminal, secretsKeyFile);
      const forgotten = await forgetSecrets({ dataDir: directory, keys, clock, ids: randomIds });
      const lines = forgotten.map((name) => `${name}: its credentials are removed; give them again\n`);
      stdout.write(lines.length === 0 ? "Every secret can be opened; nothing was changed.\n" : lines.join(""));
    });
}

async function serve(
  terminal: Terminal,
  { logLevel, ...options }: Omit<ServerOptions, "clock" | "ids" | "log" | "version"> & { readonly logLevel: LogLevel },
): Promise<void> {
  const { clock } = terminal;
  // Only here, so that no other verb waits for the server's packages to load; and the store first, which is read meanwhile.
  const { openLevelStore } = await import("../server/storage/level-store.ts");
  const store = await openLevelStore(options.dataDir, { ids: randomIds, clock });
  const { startServer } = await import("../server/server.ts");
  await silenceGrpc();
  const log = createLogger("meridian-server", { level: logLevel });
  const server = await startServer({
    ...options,
    store,
    clock,
    ids: randomIds,
    log,
    version: readVersion(),
  }).catch((error: unknown) => {
    // An address that is taken, for example: the flags have to change.
    if (error instanceof MeridianError && error.code === "INVALID_ARGUMENT") throw wrongUsage(error.message);
    throw error;
  });
  await serveUntilInterrupted(terminal, server);
}
