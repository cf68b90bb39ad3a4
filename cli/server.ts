/** `meridian server`: runs the control plane until it is told to stop, or restores a backup to run it on. */
import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { ServerOptions } from "../server/server.ts";
import { MeridianError } from "../shared/errors.ts";
import { randomIds } from "../shared/ids.ts";
import { createLogger, type LogLevel } from "../shared/log.ts";
import { applyConfigFile } from "./environment.ts";
import { wrongUsage } from "./failure.ts";
import { silenceGrpc } from "./grpc-log.ts";
import type { Program } from "./program-type.ts";
import { configOption, insecureOption, logLevelOption, requirePlainText, serveUntilInterrupted } from "./service.ts";
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
        "This version has no TLS yet: it starts only with --insecure, on this machine's own addresses.",
    )
    .option("--data-dir <dir>", "where everything is kept; made if it is not there")
    .addOption(new Option("--listen <address>", `for gRPC clients (default: ${defaultListen})`).argParser(parseAddress))
    .addOption(
      new Option("--agent-listen <address>", `for agents (default: ${defaultAgentListen})`).argParser(parseAddress),
    )
    .addOption(
      new Option("--http-listen <address>", `for browsers and curl (default: ${defaultHttpListen})`).argParser(
        parseAddress,
      ),
    )
    .addOption(insecureOption)
    .addOption(logLevelOption)
    .addOption(configOption)
    .addHelpText(
      "after",
      examples(
        "server --insecure --data-dir ~/meridian",
        "server --insecure --data-dir /tmp/m --listen 127.0.0.1:0 --agent-listen 127.0.0.1:0 --http-listen 127.0.0.1:0",
        "server --config /etc/meridian/server.json",
      ),
    );
  registerRestore(noun, terminal);
  noun.action(async ({ config }, command) => {
    if (config !== undefined) applyConfigFile(command, config);
    // The flags again, since the file may have filled some in.
    const flags = noun.opts();
    const addresses = {
      listen: flags.listen ?? parseAddress(defaultListen),
      agentListen: flags.agentListen ?? parseAddress(defaultAgentListen),
      httpListen: flags.httpListen ?? parseAddress(defaultHttpListen),
    };
    requirePlainText(flags.insecure, {
      "--listen": addresses.listen,
      "--agent-listen": addresses.agentListen,
      "--http-listen": addresses.httpListen,
    });
    const dataDir = requireFlag(flags.dataDir, "--data-dir", "meridian server --insecure --data-dir ~/meridian");
    await serve(terminal, { ...addresses, dataDir, insecure: true, logLevel: flags.logLevel });
  });
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
