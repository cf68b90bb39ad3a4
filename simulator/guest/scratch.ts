/** The scratch folder of one VM's guest, made with its first command, with the commands that run there. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandOutcome } from "./guest-world.ts";
import { runShell } from "./shell.ts";

export class Scratch {
  readonly #folder = mkdtemp(join(tmpdir(), "meridian-guest-"));
  readonly #running = new Set<Promise<CommandOutcome>>();
  #power = new AbortController();

  async run(commandLine: string, signal: AbortSignal): Promise<CommandOutcome> {
    const ends = AbortSignal.any([signal, this.#power.signal]);
    const run = this.#folder.then((folder) => runShell(commandLine, { folder, signal: ends }));
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Ends all commands; later ones run again. */
  killAll(): void {
    if (this.#running.size === 0) return;
    this.#power.abort();
    this.#power = new AbortController();
  }

  /** Ends all commands and removes the folder with what they left. */
  async remove(): Promise<void> {
    this.killAll();
    await Promise.allSettled(this.#running);
    await rm(await this.#folder, { recursive: true, force: true });
  }
}
