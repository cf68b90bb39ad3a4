/** A real server process whose ports are fuzzed, and what must hold of it all the while. */
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { type Socket, connect as tcpConnect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { type MeridianProcess, type ServerProcess, startServerProcess } from "../../support/e2e/meridian-process.ts";
import { until } from "../../support/e2e/until.ts";
import { expect } from "../target.ts";

export type PortName = keyof ServerProcess["addresses"];

/** How long the server may take to say that it is well, in ms: it has garbage to read meanwhile. */
const wellMaxMs = 5_000;
/** Connections that are left over at the end: none of those that were fuzzed. */
const leftOverMax = 5;
const settleMaxMs = 20_000;

export class FuzzedServer {
  readonly addresses: ServerProcess["addresses"];
  readonly isSecure: boolean;
  private readonly process: MeridianProcess;
  private readonly scratch: string;
  private readonly openAtFirst: number;

  static async open(isSecure: boolean): Promise<FuzzedServer> {
    const scratch = await mkdtemp(join(tmpdir(), "meridian-fuzz-"));
    try {
      const { process, addresses } = await startServerProcess(join(scratch, "data"), undefined, { isSecure });
      return new FuzzedServer({ scratch, process, addresses, isSecure });
    } catch (error) {
      await rm(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  private constructor(parts: {
    readonly scratch: string;
    readonly process: MeridianProcess;
    readonly addresses: ServerProcess["addresses"];
    readonly isSecure: boolean;
  }) {
    this.scratch = parts.scratch;
    this.process = parts.process;
    this.addresses = parts.addresses;
    this.isSecure = parts.isSecure;
    this.openAtFirst = this.openFiles();
  }

  /** A connection to one of the ports; over TLS if the server is secure, unless the bytes are to meet TLS itself. */
  dial(port: PortName, isRaw = false): Socket {
    const [host = "", number = ""] = this.addresses[port].split(":");
    const target = { host, port: Number(number) };
    // Whose certificate it is does not matter to somebody who sends garbage.
    return this.isSecure && !isRaw
      ? tlsConnect({ ...target, rejectUnauthorized: false, ALPNProtocols: port === "http" ? ["http/1.1"] : ["h2"] })
      : tcpConnect(target);
  }

  /** Rejects unless it runs, and says so itself. */
  async checkWell(): Promise<void> {
    expect(this.process.isRunning, `the server has ended: ${this.process.stderr.slice(-4_000)}`);
    const signal = AbortSignal.timeout(wellMaxMs);
    const socket = this.dial("http");
    try {
      const answer = await ask(socket, signal);
      expect(answer.startsWith("HTTP/1.1 200"), `the server is not well: ${answer.slice(0, 200)}`);
    } finally {
      socket.destroy();
    }
  }

  /** Rejects unless all that the fuzzing took is given back, and nothing went wrong unnoticed. */
  async inspect(): Promise<void> {
    await until(
      "the server has closed what was opened",
      () => this.openFiles() <= this.openAtFirst + leftOverMax,
      settleMaxMs,
    );
    const bad = this.process.stderr
      .split("\n")
      .filter((line) => /"level":(?:50|60)|uncaught|unhandled|DEP0/i.test(line));
    expect(bad.length === 0, `the server's log says: ${bad.slice(0, 3).join("\n")}`);
    await this.checkWell();
  }

  async close(): Promise<void> {
    await this.process.stop("SIGKILL");
    await rm(this.scratch, { recursive: true, force: true });
  }

  /** 0 where the system does not tell, as macOS does not. */
  private openFiles(): number {
    const folder = `/proc/${this.process.child.pid}/fd`;
    return existsSync(folder) ? readdirSync(folder).length : 0;
  }
}

function ask(socket: Socket, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () =>
      reject(new Error(`the server does not say within ${wellMaxMs} ms that it is well`)),
    );
    socket.on("error", reject);
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
    socket.on("close", () => resolve(answer));
    socket.end("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  });
}
