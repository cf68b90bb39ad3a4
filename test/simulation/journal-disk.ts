/**
 * The disk under an agent's journal. What was durable outlives the agent's process; what was being written when that ended is
 * there in part, or not at all.
 */
import type { JournalStorage } from "../../agent/journal/journal-storage.ts";
import { sleep } from "../../shared/clock.ts";
import type { Random } from "../../simulator/random.ts";
import type { Life } from "./life.ts";

/** Within this an agent writes what it could not, once there is room, in ms. */
const writtenAgainMs = 6_000;

export class JournalDisk {
  readonly #random: Random;
  readonly #nowMs: () => number;
  #bytes: Uint8Array | undefined;
  #isFull = false;
  #fullUntilMs = 0;

  constructor(random: Random, nowMs: () => number) {
    this.#random = random;
    this.#nowMs = nowMs;
  }

  /** Writes fail as long as this is so. */
  get isFull(): boolean {
    return this.#isFull;
  }

  set isFull(isFull: boolean) {
    if (this.#isFull && !isFull) this.#fullUntilMs = this.#nowMs();
    this.#isFull = isFull;
  }

  /** The last moment at which it was full, or soon after that: then the agent tries again. */
  get fullUntilMs(): number {
    return this.#isFull ? this.#nowMs() : this.#fullUntilMs + writtenAgainMs;
  }

  /** The disk as one run of the agent reaches it. */
  open(life: Life): JournalStorage {
    return {
      read: async () => this.#bytes,
      append: async (bytes) => {
        // As much of it as a process that ends here would leave behind is there at once.
        const before = this.#bytes ?? new Uint8Array();
        const torn = bytes.subarray(0, Math.floor(this.#random.between(0, bytes.length)));
        life.do(() => {
          this.#bytes = joined(before, torn);
        });
        await this.#write(life, () => joined(before, bytes));
      },
      replace: (bytes) => this.#write(life, () => bytes.slice()),
      setAside: async () => {
        this.#bytes = undefined;
        return "set aside";
      },
      close: async () => undefined,
    };
  }

  /** A process that is over has nothing written. */
  async #write(life: Life, content: () => Uint8Array): Promise<void> {
    await sleep(life.clock, this.#random.between(0.05, 5));
    if (this.isFull) throw new Error("no room on the simulated disk");
    life.do(() => {
      this.#bytes = content();
    });
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
