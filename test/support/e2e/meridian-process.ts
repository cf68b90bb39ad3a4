/** The program as a process of its own, as users start it: what it says, how it ends, and the signals it gets. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.ts";

const program = new URL("../../../bin/meridian.js", import.meta.url).pathname;

export interface EndedProcess {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProcessOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** The most that the process may write into one file, in blocks of 512 bytes, as `ulimit -f` counts them: a full disk. */
  readonly fileBlocksMax?: number;
  /** Of a server: whether it asks who calls, over TLS. Default: it is insecure. */
  readonly isSecure?: boolean;
  /** Instead of the arguments: a line for the shell, which is given how the program is called. */
  readonly line?: (program: string) => string;
}

/** `$0` is the number of blocks. */
const limit = 'ulimit -f "$0" && exec "$@"';

export class MeridianProcess {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  private readonly ended: Promise<unknown>;

  /** @param options see there; a process without any has all that a user's has. */
  constructor(args: readonly string[], { environment = {}, fileBlocksMax, line }: ProcessOptions = {}) {
    const command =
      line === undefined
        ? [process.execPath, program, ...args]
        : ["/bin/sh", "-c", line(`"${process.execPath}" "${program}"`)];
    const [file = "", ...rest] =
      fileBlocksMax === undefined ? command : ["/bin/sh", "-c", limit, `${fileBlocksMax}`, ...command];
    this.child = spawn(file, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = once(this.child, "close");
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(): Promise<EndedProcess> {
    await this.ended;
    return { exitCode: this.child.exitCode ?? 128, stdout: this.stdout, stderr: this.stderr };
  }

  /** Sends the signal and waits for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<EndedProcess> {
    if (this.isRunning) this.child.kill(signal);
    return this.end();
  }
}

/** Runs a verb to its end. */
export function runMeridian(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<EndedProcess> {
  return new MeridianProcess(args, { environment }).end();
}

export interface ServerProcess {
  readonly process: MeridianProcess;
  readonly addresses: { readonly grpc: string; readonly agent: string; readonly http: string };
}

/** Starts a server on free ports, or on those that are given, and waits until it serves. */
export async function startServerProcess(
  dataDir: string,
  addresses: { readonly grpc: string; readonly agent: string; readonly http: string } = anyAddresses,
  options: ProcessOptions = {},
): Promise<ServerProcess> {
  const file = join(dataDir, "addresses.json");
  const before = existsSync(file) ? readFileSync(file, "utf8") : "";
  const server = new MeridianProcess(
    [
      "server",
      ...(options.isSecure === true ? [] : ["--insecure"]),
      `--data-dir=${dataDir}`,
      `--listen=${addresses.grpc}`,
      `--agent-listen=${addresses.agent}`,
      `--http-listen=${addresses.http}`,
    ],
    options,
  );
  await until("the server serves", () => {
    if (!server.isRunning) throw new Error(`the server ended: ${server.stderr}`);
    return server.stderr.includes('"serving"');
  });
  const text = readFileSync(file, "utf8");
  if (text === before && addresses === anyAddresses) throw new Error("the addresses were not written anew");
  return { process: server, addresses: JSON.parse(text) as ServerProcess["addresses"] };
}

const anyAddresses = { grpc: "127.0.0.1:0", agent: "127.0.0.1:0", http: "127.0.0.1:0" };
