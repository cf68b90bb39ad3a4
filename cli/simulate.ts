/** `meridian simulate`: simulated Macs, each with a real agent, that join a server's pool. */
import { randomInt } from "node:crypto";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { createLogger } from "../shared/log.ts";
import type { JoinTokenContent } from "../shared/tls/join-token.ts";
import { deriveSeed } from "../simulator/random.ts";
import type { SimulatedMacOptions } from "../simulator/simulated-mac.ts";
import { parseJoinTokenFlag } from "./agent/enrolment.ts";
import { wrongUsage } from "./failure.ts";
import { silenceGrpc } from "./grpc-log.ts";
import { goldenLinux, goldenMacos, labCatalog } from "./lab/lab-images.ts";
import type { SimulatedHost } from "./lab/simulated-host.ts";
import type { Program } from "./program-type.ts";
import { requireLoopback } from "./service.ts";
import type { Terminal } from "./terminal.ts";
import { formatAddress, parseAddress } from "./values/address.ts";
import { wholeNumber } from "./values/number.ts";
import { parseRange, parseShare, type Range } from "./values/range.ts";
import { examples } from "./verbs.ts";
import { readVersion } from "./version.ts";

interface SimulateFlags {
  readonly server?: string;
  readonly joinToken?: JoinTokenContent;
  readonly hosts: number;
  readonly macos: number;
  readonly intel: number;
  readonly createMs?: Range;
  readonly bootMs?: Range;
  readonly instant?: true;
  readonly fail: number;
  readonly seed: number;
  readonly prefix: string;
  readonly inMemory?: true;
  readonly realExecute?: true;
  readonly insecure?: true;
}

const defaultServer = "127.0.0.1:7071";

/** More have no address of their own in 127.0.0.0/8 for their guests. */
const hostsMax = 16_000;

export function registerSimulate(program: Program, terminal: Terminal): void {
  program
    .command("simulate")
    .summary("join simulated Macs to a server's pool")
    .description(
      "Starts simulated Macs that join a server's pool until interrupted. Each has a real agent and a local API of its own " +
        "over HTTP, that behaves as that of Parallels Desktop. They carry the golden VMs golden-macos and golden-linux, and " +
        "reach a catalog with MACOS-15-CI and UBUNTU-24.",
    )
    .addOption(
      new Option(
        "--server <address>",
        `the server's address for agents (default: what the join token says, or ${defaultServer})`,
      ),
    )
    .addOption(
      new Option("--join-token <token>", "lets the Macs into the pool; it must be good for as many").argParser(
        parseJoinTokenFlag,
      ),
    )
    .addOption(new Option("--hosts <number>", "how many Macs").argParser(wholeNumber(1, hostsMax)).default(3))
    .addOption(
      new Option("--macos <share>", "how many of them carry golden-macos").argParser(parseShare).default(1, "100%"),
    )
    .addOption(
      new Option("--intel <share>", "how many of them have an Intel chip").argParser(parseShare).default(0, "0%"),
    )
    .addOption(
      new Option("--create-ms <range>", "how long a clone or a pull takes, such as 200..900").argParser(parseRange),
    )
    .addOption(new Option("--boot-ms <range>", "how long a guest takes to boot").argParser(parseRange))
    .addOption(new Option("--instant", "nothing takes any time").conflicts(["createMs", "bootMs"]))
    .addOption(
      new Option("--fail <share>", "how often a clone, pull, start, stop or delete fails")
        .argParser(parseShare)
        .default(0, "0%"),
    )
    .addOption(
      new Option("--seed <number>", "repeats a run: the same seed gives the same Macs")
        .argParser(wholeNumber(0, 2 ** 31 - 1))
        .default(randomInt(2 ** 31), "random"),
    )
    .addOption(
      new Option("--prefix <text>", "what the hosts are called, before their number")
        .default("mac-")
        .argParser(parsePrefix),
    )
    .addOption(new Option("--in-memory", "leave HTTP out between agent and Mac, for thousands of hosts"))
    .addOption(new Option("--real-execute", "commands in guests really run, on this machine, as you"))
    .addOption(new Option("--insecure", "plain text; only to this machine itself"))
    .addHelpText(
      "after",
      examples(
        "simulate --join-token mjt1.… --hosts 50",
        "simulate --insecure --hosts 50",
        "simulate --insecure --hosts 1000 --in-memory --create-ms 200..900 --fail 1%",
      ),
    )
    .action((flags) => simulate(terminal, flags));
}

async function simulate(terminal: Terminal, flags: SimulateFlags): Promise<void> {
  const { joinToken } = flags;
  if ((flags.insecure === true) === (joinToken !== undefined)) {
    throw wrongUsage(
      "either --join-token or --insecure must be said",
      "`meridian token create --join --uses N` makes a token; --insecure is for a server that was started with it.",
    );
  }
  const servers =
    flags.server === undefined && joinToken !== undefined
      ? joinToken.addresses
      : [formatAddress(parseAddress(flags.server ?? defaultServer))];
  for (const server of servers) requireLoopback(flags.insecure, { "--server": parseAddress(server) });
  // Only here, so that no other verb waits for agents and simulated Macs to load.
  const { createJitter, startSimulatedHost } = await import("./lab/simulated-host.ts");
  await silenceGrpc();
  const log = createLogger("meridian-simulate", { level: "warn" });
  const hosts: SimulatedHost[] = [];
  terminal.stderr.write(`starting ${flags.hosts} simulated Macs for ${servers.join(", ")}, seed ${flags.seed}\n`);
  try {
    for (let index = 0; index < flags.hosts && !terminal.interrupted.aborted; index += 1) {
      const host = await startSimulatedHost({
        servers,
        joinToken,
        hostId: hostIdOf(flags, index),
        mac: macOptions(flags, index),
        inMemory: flags.inMemory === true,
        log,
        agentVersion: readVersion(),
        random: createJitter(deriveSeed(flags.seed, -1_000_000 - index)),
      });
      hosts.push(host);
    }
    terminal.stderr.write("all are started; Ctrl-C ends them and their VMs\n");
    await interrupted(terminal);
  } finally {
    await Promise.all(hosts.map((host) => host.close()));
  }
}

function hostIdOf({ prefix, hosts }: SimulateFlags, index: number): string {
  return `${prefix}${String(index + 1).padStart(String(hosts).length, "0")}`;
}

/** Shares are spread over the Macs by their numbers, so that 50% of two is one. */
function macOptions(flags: SimulateFlags, index: number): SimulatedMacOptions {
  const isIntel = isInShare(index, flags.intel);
  const hasMacos = !isIntel && isInShare(index, flags.macos);
  const { createMs, bootMs, fail } = flags;
  return {
    index,
    name: hostIdOf(flags, index),
    architecture: isIntel ? "x86_64" : "arm64",
    vms: hasMacos ? [goldenMacos, goldenLinux] : [goldenLinux],
    catalog: labCatalog,
    seed: deriveSeed(flags.seed, index),
    instant: flags.instant === true,
    realExecute: flags.realExecute === true,
    delays: {
      ...(createMs === undefined
        ? {}
        : { clone: createMs, download: createMs, unpack: [0, 0], addToParallels: [0, 0] }),
      ...(bootMs === undefined ? {} : { boot: bootMs }),
    },
    failRates: fail === 0 ? {} : { clone: fail, download: fail, start: fail, stop: fail, delete: fail },
  };
}

function isInShare(index: number, share: number): boolean {
  return Math.floor((index + 1) * share) > Math.floor(index * share);
}

function parsePrefix(text: string): string {
  if (!/^[a-z][a-z0-9.-]{0,40}$/.test(text)) {
    throw new InvalidArgumentError("Write lower-case letters, digits and -, beginning with a letter.");
  }
  return text;
}

function interrupted({ interrupted: signal }: Terminal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
