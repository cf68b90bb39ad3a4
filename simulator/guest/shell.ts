/** Runs one command line by /bin/sh, bounded in output; it and all that it started end when the signal is aborted. */
import { spawn } from "node:child_process";
import type { CommandOutcome } from "./guest-world.ts";

/** Of stdout and of stderr each; what is beyond is dropped. */
const outputSizeMax = 1_048_576;

export interface ShellOptions {
  /** Where it runs; also its HOME and TMPDIR. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Resolves when the command has ended; 128 and the signal's number when it was killed. Rejects if there is no shell. */
export function runShell(commandLine: string, { folder, signal }: ShellOptions): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", commandLine], {
      cwd: folder,
      // Nothing of this process's own settings and secrets.
      env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", HOME: folder, TMPDIR: folder, LANG: "C.UTF-8" },
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that its children end with it.
      detached: true,
    });
    const [stdout, stderr] = [new BoundedText(), new BoundedText()];
    child.stdout.on("data", (chunk: Buffer) => stdout.add(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.add(chunk));
    const kill = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group has ended by itself.
      }
    };
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    child.on("error", reject);
    child.on("close", (code) => {
      signal.removeEventListener("abort", kill);
      resolve({ stdout: stdout.text, stderr: stderr.text, exitCode: code ?? 128 + 9 });
    });
  });
}

class BoundedText {
  readonly #chunks: Buffer[] = [];
  #size = 0;

  add(chunk: Buffer): void {
    const room = outputSizeMax - this.#size;
    if (room <= 0) return;
    const kept = chunk.subarray(0, room);
    this.#chunks.push(kept);
    this.#size += kept.length;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
