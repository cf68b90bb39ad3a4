/**
 * Starts one simulated Mac: the model, and its service on a port of 127.0.0.1. Tests, the demo and `meridian simulate` come
 * in here. Not for anything but loopback: with `realExecute` it runs what its callers send.
 */
import { type Clock, systemClock } from "../shared/clock.ts";
import { type Logger, silentLogger } from "../shared/log.ts";
import { createTableGuests } from "./guest/command-table.ts";
import { createRealGuests } from "./guest/real-guests.ts";
import { Credentials } from "./http/credentials.ts";
import { MacServer } from "./http/mac-server.ts";
import { type RestartedJobs, SimulatedMac } from "./mac.ts";
import type { MacOptions } from "./mac-facts.ts";
import { createRandom, deriveSeed } from "./random.ts";

export interface SimulatedMacOptions extends MacOptions {
  /** Of the service. Default 0, which picks a free one. */
  readonly port?: number;
  /** How long a token is valid, in ms. Default 15 minutes. */
  readonly tokenLifetimeMs?: number;
  /** Of the user "root". Default "simulated". */
  readonly rootPassword?: string;
  /** TCP ports that guests really listen on, at their own address, while they run. Default none. */
  readonly guestPorts?: readonly number[];
  /** Commands really run, by /bin/sh in a scratch folder for each VM, as this process's user. Default false. */
  readonly realExecute?: boolean;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: none. */
  readonly log?: Logger;
}

export interface RunningMac {
  /** Such as http://127.0.0.1:40123; the same for its whole life. */
  readonly url: string;
  /** As callers send it: base64 of "key:secret". */
  readonly apiKey: string;
  /** The user "root"'s. */
  readonly rootPassword: string;
  /** The model, with its knobs. */
  readonly mac: SimulatedMac;
  /** The service starts anew: connections are cut, tokens void, jobs forgotten (or failed); VMs run on. */
  restart(jobs?: RestartedJobs): Promise<void>;
  /** Every token is void from now on, as if it had expired; API keys stay good. */
  voidTokens(): void;
  /** Nobody answers on the port until `comeBack`. */
  goDown(): Promise<void>;
  /** Answers again, with all that it knew. */
  comeBack(): Promise<void>;
  /** Ends it with its guests and their files. Twice is harmless. */
  close(): Promise<void>;
}

const defaultTokenLifetimeMs = 15 * 60_000;

/** Rejects if the port is taken. */
export async function startSimulatedMac(options: SimulatedMacOptions = {}): Promise<RunningMac> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const rootPassword = options.rootPassword ?? "simulated";
  const { guestPorts = [], realExecute = false } = options;
  const guests =
    guestPorts.length > 0 || realExecute
      ? createRealGuests({ clock, log, ports: guestPorts, runsCommands: realExecute })
      : createTableGuests(clock);
  const mac = new SimulatedMac(options, clock, guests);
  // Apart from the model's, so that requests do not shift its draws.
  const random = createRandom(deriveSeed(options.seed ?? 1, -2 - mac.facts.index));
  const credentials = new Credentials({
    clock,
    random,
    tokenLifetimeMs: options.tokenLifetimeMs ?? defaultTokenLifetimeMs,
    apiKey: `KEY_${random.hex(8)}:${random.hex(32)}`,
    rootPassword,
  });
  const server = new MacServer({ mac, credentials, port: options.port ?? 0, random, log });
  await server.open();
  log.info({ host: mac.facts.name, url: server.url }, "simulated mac serves");

  return {
    url: server.url,
    apiKey: credentials.encodedApiKey,
    rootPassword,
    mac,
    voidTokens: () => credentials.voidTokens(),
    async restart(jobs) {
      await server.shut();
      credentials.voidTokens();
      mac.restartService(jobs);
      await server.open();
    },
    async goDown() {
      mac.takeServiceDown();
      await server.shut();
    },
    async comeBack() {
      await server.open();
      mac.bringServiceUp();
    },
    async close() {
      await server.close();
      await mac.close();
    },
  };
}
