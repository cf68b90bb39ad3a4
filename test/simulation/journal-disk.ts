/**
 * The disk under an agent's journal. What was durable outlives the agent's process; what was being written when that ended is
 * there in part, or not at all.
 */
import type { JournalStorage } from "../../agent/journal/journal-storage.ts";
import { sleep } from "../../shared/clock.ts";
import type { Random } from "../../simulator/random.ts";
import type { Life } from "./life.ts";

export class JournalDisk {
  /** Writes fail as long as this is so. */
  isFull = false;
  readonly #random: Random;
  #bytes: Uint8Array | undefined;

  constructor(random: Random) {
    this.#random = random;
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
