/** Starts and ends the writing process, and keeps what it says. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface WriterOptions {
  readonly directory: string;
  /** "write" as fast as it goes (the default), or "hold" the directory and do nothing. */
  readonly mode?: "write" | "hold";
  /** The most that the process may write into one file, in blocks of 512 bytes, as `ulimit -f` counts them. */
  readonly fileBlocksMax?: number;
}

export class WriterProcess {
  readonly lines: string[] = [];
  readonly pid: number | undefined;
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #onLine = Promise.withResolvers<void>();
  #hasEnded = false;

  constructor({ directory, mode = "write", fileBlocksMax }: WriterOptions) {
    const command = [process.execPath, script, directory, mode];
    const limited = fileBlocksMax === undefined ? command : ["/bin/sh", "-c", limit, String(fileBlocksMax), ...command];
    const [program = "", ...args] = limited;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.pid = this.#child.pid;
    this.#closed = once(this.#child, "close").then(() => {
      this.#hasEnded = true;
      this.#onLine.resolve();
    });
    if (this.#child.stdout === null) throw new Error("the child has no standard output");
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      this.lines.push(line);
      this.#onLine.resolve();
      this.#onLine = Promise.withResolvers<void>();
    });
  }

  /** Waits until the process has said `count` lines; rejects when it ends before. */
  async waitForLines(count: number): Promise<void> {
    while (this.lines.length < count) {
      if (this.#hasEnded) throw new Error(`the writer ended after: ${this.lines.slice(-3).join(", ")}`);
      await this.#onLine.promise;
    }
  }

  /** Waits until it has ended by itself. */
  async waitForEnd(): Promise<void> {
    await this.#closed;
  }

  /** Ends it at once, without a chance to clean up, and waits until all that it said has arrived. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  /** The highest revision that it said was acknowledged; 0 if none. */
  get acknowledged(): number {
    const last = this.lines.findLast((line) => line.startsWith("acknowledged ") || line.startsWith("loaded "));
    return Number(last?.split(" ")[1] ?? 0);
  }
}

const script = fileURLToPath(new URL("writer-script.ts", import.meta.url));

/** `$0` is the number of blocks. */
const limit = 'ulimit -f "$0" && exec "$@"';
