/** The server under load: a process of its own, started as its users start it, with everything it writes on the disk. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { required } from "../../shared/assert.ts";
import { pause } from "./moment.ts";
import { type ProcessUsage, readUsage } from "./process-usage.ts";

export interface ServerAddresses {
  readonly grpc: string;
  readonly agent: string;
  readonly http: string;
}

export interface ServerLaunch {
  /** Holds the data and the log. */
  readonly directory: string;
  /** Whether it asks who calls, by TLS. Default: it is insecure. */
  readonly isSecure?: boolean | undefined;
  /** Where to listen. Default: free ports. */
  readonly addresses?: ServerAddresses | undefined;
  /** Where the profile of its CPU time goes when it is stopped. Default: none is made. */
  readonly profileDir?: string | undefined;
}

/** Beyond the time that the server itself takes to end in order. */
const stopMaxMs = 40_000;
const servingMaxMs = 30_000;
const anyPort: ServerAddresses = { grpc: "127.0.0.1:0", agent: "127.0.0.1:0", http: "127.0.0.1:0" };

export class ServerProcess {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly directory: string;
  private readonly ended: Promise<void>;
  private hasEnded = false;

  /** Starts it; `serving` tells when it is there. */
  constructor(launch: ServerLaunch) {
    const { directory, addresses = anyPort, profileDir, isSecure = false } = launch;
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
    // What an earlier process wrote must not be taken for this one's.
    rmSync(this.addressesPath, { force: true });
    const log = openSync(this.logPath, "a");
    const profile = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
    const program = fileURLToPath(new URL("../../bin/meridian.js", import.meta.url));
    const ports = ["--listen", addresses.grpc, "--agent-listen", addresses.agent, "--http-listen", addresses.http];
    this.child = spawn(
      process.execPath,
      [...profile, program, "server", ...(isSecure ? [] : ["--insecure"]), "--data-dir", this.dataDir, ...ports],
      { stdio: ["ignore", log, log] },
    );
    closeSync(log);
    this.pid = required(this.child.pid, "pid of the server");
    const ended = Promise.withResolvers<void>();
    const endWithUs = (): void => void this.child.kill("SIGKILL");
    process.once("exit", endWithUs);
    this.child.once("exit", () => {
      process.off("exit", endWithUs);
      this.hasEnded = true;
      ended.resolve();
    });
    this.ended = ended.promise;
  }

  /** Resolves when it serves. */
  async serving(): Promise<ServerAddresses> {
    for (let waitedMs = 0; waitedMs < servingMaxMs; waitedMs += 5) {
      this.checkRunning();
      const addresses = this.readAddresses();
      if (addresses !== undefined) return addresses;
      await pause(5);
    }
    throw new Error(`the server does not serve:\n${this.logTail()}`);
  }

  /** Throws, with the end of its log, if it has ended. */
  checkRunning(): void {
    if (this.hasEnded) throw new Error(`the server has ended:\n${this.logTail()}`);
  }

  usage(): ProcessUsage | undefined {
    return readUsage(this.pid);
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    const limit = setTimeout(() => this.child.kill("SIGKILL"), stopMaxMs);
    await this.ended;
    clearTimeout(limit);
  }

  /** Ends it as a power cut would. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Where it keeps everything. */
  get dataDir(): string {
    return join(this.directory, "data");
  }

  private get addressesPath(): string {
    return join(this.dataDir, "addresses.json");
  }

  private get logPath(): string {
    return join(this.directory, "server.log");
  }

  private readAddresses(): ServerAddresses | undefined {
    try {
      // The server writes the file in one piece, and its form is part of its interface.
      return JSON.parse(readFileSync(this.addressesPath, "utf8")) as ServerAddresses;
    } catch {
      return undefined;
    }
  }

  private logTail(): string {
    return readFileSync(this.logPath, "utf8").split("\n").slice(-20).join("\n");
  }
}
