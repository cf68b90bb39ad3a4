/** The server process of the pool under failures; whoever asks it anything waits at its gate while there is none. */
import { type ServerProcess, startServerProcess } from "../../support/e2e/meridian-process.ts";

export class ChaosServer {
  readonly addresses: ServerProcess["addresses"];
  /** From the start of each new process until it serves. */
  readonly restartsMs: number[] = [];
  private readonly dataDir: string;
  private process: ServerProcess["process"];
  private serving: Promise<unknown> = Promise.resolve();
  private isClosed = false;

  static async open(dataDir: string): Promise<ChaosServer> {
    return new ChaosServer(dataDir, await startServerProcess(dataDir));
  }

  private constructor(dataDir: string, { process, addresses }: ServerProcess) {
    this.dataDir = dataDir;
    this.process = process;
    this.addresses = addresses;
  }

  /** Resolves when there is a server to ask; rejects when there will never be one again. */
  async whenServing(): Promise<void> {
    await this.serving;
    if (this.isClosed) throw new Error("the run is over");
  }

  /** Rejects with what the server said if it does not come up. */
  async killAndRestart(): Promise<void> {
    const restart = this.restart();
    this.serving = restart.catch(() => undefined);
    await restart;
  }

  freeze(): void {
    this.process.child.kill("SIGSTOP");
  }

  thaw(): void {
    this.process.child.kill("SIGCONT");
  }

  /** What it said before it ended, if it ended by itself. */
  get lastWords(): string | undefined {
    return this.process.isRunning ? undefined : this.process.stderr.split("\n").slice(-5).join("\n");
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.process.stop("SIGKILL");
  }

  private async restart(): Promise<void> {
    await this.process.stop("SIGKILL");
    const startMs = performance.now();
    this.process = (await startServerProcess(this.dataDir, this.addresses)).process;
    this.restartsMs.push(performance.now() - startMs);
  }
}
