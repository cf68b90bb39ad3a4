/** `meridian agent`: brings this Mac into a pool, until it is told to stop. VMs run on without it. */
import { randomInt } from "node:crypto";
import { hostname } from "node:os";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { Journal, JournalOptions } from "../agent/journal/journal.ts";
import type { Credentials } from "../agent/parallels/credentials.ts";
import { hostIdPattern } from "../shared/ids.ts";
import { createLogger } from "../shared/log.ts";
import { enrolledIdentity, parseJoinTokenFlag } from "./agent/enrolment.ts";
import { defaultAgentDataDir } from "./data-directory.ts";
import { applyConfigFile } from "./environment.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { silenceGrpc } from "./grpc-log.ts";
import type { Program } from "./program-type.ts";
import { configOption, insecureOption, logLevelOption, requireLoopback, serveUntilInterrupted } from "./service.ts";
import type { Terminal } from "./terminal.ts";
import { type Address, formatAddress, parseAddress } from "./values/address.ts";
import { collectLabel } from "./values/label.ts";
import { shortName } from "./values/name.ts";
import { examples } from "./verbs.ts";
import { readVersion } from "./version.ts";

const defaultServer = "127.0.0.1:7071";
const defaultParallelsUrl = "http://127.0.0.1:3080";

export function registerAgent(program: Program, terminal: Terminal): void {
  const noun = program
    .command("agent")
    .summary("bring this Mac into a pool")
    .description(
      "Brings this Mac into a pool and works for its server until interrupted; its VMs run on without it. " +
        "The first start needs a join token, which says where the server is; from then on the Mac has a certificate of its " +
        "own, in the data directory, and needs no token.",
    )
    .addOption(
      new Option(
        "--server <address>",
        "the server's address for agents (default: what the join token says); may be repeated, they are tried in turn",
      ).argParser((text: string, previous: readonly Address[] | undefined) => [
        ...(previous ?? []),
        parseAddress(text),
      ]),
    )
    .addOption(
      new Option("--host <id>", "what this Mac is called in the pool (default: its host name)").argParser(parseHostId),
    )
    .addOption(
      new Option("--join-token <token>", "lets this Mac into the pool; better in MERIDIAN_JOIN_TOKEN").argParser(
        parseJoinTokenFlag,
      ),
    )
    .option("--address <address>", "how people reach this Mac (default: what Parallels Desktop says)")
    .addOption(
      new Option("--label <key=value>", "a fact about this Mac to select by; may be repeated").argParser(collectLabel),
    )
    .option(
      "--data-dir <dir>",
      "where the agent remembers what it was told; one agent each (default: in the user's own folder for such things, by host)",
    )
    .option("--parallels-url <url>", "the local Parallels Desktop API", defaultParallelsUrl)
    .option("--parallels-api-key <key>", "for that API; better in MERIDIAN_PARALLELS_API_KEY")
    .option("--parallels-username <name>", "or a user of that API")
    .option("--parallels-password <password>", "the user's password; better in MERIDIAN_PARALLELS_PASSWORD")
    .option("--vm-owner <user>", "the macOS user who owns new VMs (default: the API's own)")
    .option("--vm-folder <dir>", "where new VMs are kept, an absolute path (default: the owner's own)")
    .addOption(insecureOption)
    .addOption(logLevelOption)
    .addOption(configOption)
    .addHelpText(
      "after",
      examples(
        "agent --join-token mjt1.… --data-dir ~/meridian-agent",
        "agent --insecure --server 127.0.0.1:7071 --host mac-1 --label disk=ssd --data-dir ~/meridian-agent",
        "agent --config /etc/meridian/agent.json",
      ),
    );
  noun.action(async ({ config }, command) => {
    if (config !== undefined) applyConfigFile(command, config);
    // The flags again, since the file may have filled some in.
    const flags = noun.opts();
    const named = flags.server ?? (flags.insecure === true ? [parseAddress(defaultServer)] : undefined);
    requireLoopback(
      flags.insecure,
      Object.fromEntries((named ?? []).map((server) => [`--server ${formatAddress(server)}`, server])),
    );
    const credentials = credentialsOf(flags);
    const hostId = flags.host ?? hostIdOfThisMac();
    // Only here, so that no other verb waits for the agent's packages to load.
    const [{ startAgent }, { createHttpParallelsApi }] = await Promise.all([
      import("../agent/agent.ts"),
      import("../agent/parallels/http-api.ts"),
    ]);
    const log = createLogger("meridian-agent", { level: flags.logLevel });
    const dataDir = flags.dataDir ?? defaultAgentDataDir(terminal.environment, hostId);
    const journal = await openAgentJournal(dataDir, { clock: terminal.clock, log });
    const parallels = createHttpParallelsApi({
      baseUrl: flags.parallelsUrl,
      credentials,
      log,
      ...(flags.vmOwner !== undefined && { owner: flags.vmOwner }),
      ...(flags.vmFolder !== undefined && { vmFolder: flags.vmFolder }),
    });
    await silenceGrpc();
    const random = (): number => randomInt(2 ** 32) / 2 ** 32;
    const servers = named?.map(formatAddress);
    const enrolled =
      flags.insecure === true
        ? undefined
        : await enrolledIdentity({ token: flags.joinToken, dataDir, hostId, servers, random, log, terminal }).catch(
            async (error: unknown) => {
              await Promise.all([journal.close(), parallels.close()]);
              throw error;
            },
          );
    const agent = startAgent({
      servers: servers ?? enrolled?.identity.servers ?? [],
      ...(enrolled !== undefined && { identity: enrolled }),
      hostId,
      parallels,
      journal,
      log,
      agentVersion: readVersion(),
      clock: terminal.clock,
      random,
      ...(flags.label !== undefined && { labels: flags.label }),
      ...(flags.address !== undefined && { address: flags.address }),
    });
    await serveUntilInterrupted(terminal, { closed: agent.closed, close: () => agent.close() });
    if (!terminal.interrupted.aborted) {
      throw new Failure(`the server refused ${hostId}`, { exitCode: exitCodes.denied, hint: "The log says why." });
    }
  });
}

async function openAgentJournal(dataDir: string, options: JournalOptions): Promise<Journal> {
  const [{ openJournal }, { openJournalFile }, { JournalRefused }] = await Promise.all([
    import("../agent/journal/journal.ts"),
    import("../agent/journal/journal-file.ts"),
    import("../agent/journal/journal-errors.ts"),
  ]);
  try {
    const storage = await openJournalFile(dataDir);
    return await openJournal(storage, options).catch(async (error: unknown) => {
      await storage.close();
      throw error;
    });
  } catch (error) {
    if (error instanceof JournalRefused) {
      throw new Failure(error.message, { exitCode: exitCodes.failed, hint: error.hint });
    }
    throw error;
  }
}

function credentialsOf(flags: {
  readonly parallelsApiKey?: string | undefined;
  readonly parallelsUsername?: string | undefined;
  readonly parallelsPassword?: string | undefined;
}): Credentials {
  const { parallelsApiKey: apiKey, parallelsUsername: username, parallelsPassword: password } = flags;
  if (apiKey !== undefined && username === undefined) return { apiKey };
  if (apiKey === undefined && username !== undefined && password !== undefined) return { username, password };
  throw wrongUsage(
    "the local Parallels Desktop API needs either an API key or a user with a password",
    "Set MERIDIAN_PARALLELS_API_KEY, or MERIDIAN_PARALLELS_USERNAME and MERIDIAN_PARALLELS_PASSWORD.",
  );
}

function parseHostId(text: string): string {
  const id = shortName(text);
  if (hostIdPattern.test(id)) return id;
  throw new InvalidArgumentError("Use lower-case letters, digits, '-' and '.', at most 63 characters.");
}

/** The Mac's own name without its domain. */
function hostIdOfThisMac(): string {
  const [id = ""] = hostname().toLowerCase().split(".");
  if (hostIdPattern.test(id)) return id;
  throw wrongUsage(`this machine's name, "${hostname()}", cannot be a host's name`, "Choose one with --host.");
}
