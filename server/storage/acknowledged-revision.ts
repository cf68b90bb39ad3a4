/**
 * The highest revision that was acknowledged, in a file of its own beside the database. The checksum inside the database
 * cannot notice that its whole last batches are gone, since what is left is consistent; this note can.
 *
 * It is written in place after each batch is durable and before the batch is acknowledged, without a sync of its own (that
 * would double the latency). So it is never ahead of the database: a kill leaves it exact, a power cut leaves it exact or
 * some seconds behind, which makes the guard weaker and never raises a false alarm. Two slots in different blocks take
 * turns, each with a check value, so that a torn write costs one revision of precision. Without a readable slot there is no
 * guard: deleting the file is how an operator accepts the loss of the last changes.
 */
import { closeSync, constants, fdatasyncSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";

/** Each slot has a block of its own, on file systems with blocks of up to this size. */
const slotBytes = 4096;
const slotCount = 2;

export class AcknowledgedRevision {
  readonly #file: number;
  #isClosed = false;

  /** Opens the file, making it if it is missing. Throws what the file system throws. */
  constructor(path: string) {
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  /** The revision noted, or nothing if no slot can be read. */
  read(): number | undefined {
    const slots = Array.from({ length: slotCount }, (_, slot) => this.#readSlot(slot));
    const revisions = slots.filter((revision) => revision !== undefined);
    return revisions.length === 0 ? undefined : Math.max(...revisions);
  }

  /** Notes a revision in every slot and syncs: all blocks exist afterwards, so that `note` needs no room on the disk. */
  reset(revision: number): void {
    for (let slot = 0; slot < slotCount; slot++) this.#write(slot, encodeSlot(revision).padEnd(slotBytes, "\n"));
    fdatasyncSync(this.#file);
  }

  /**
   * Notes a revision. Synchronous on purpose: some 30 bytes into the page cache take a few microseconds, a turn through
   * the thread pool takes many more.
   */
  note(revision: number): void {
    this.#write(revision % slotCount, encodeSlot(revision));
  }

  /** Closing twice is harmless. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }

  #readSlot(slot: number): number | undefined {
    const bytes = Buffer.alloc(encodeSlot(0).length);
    const length = readSync(this.#file, bytes, 0, bytes.length, slot * slotBytes);
    const text = bytes.toString("latin1", 0, length);
    const revision = Number(text.slice(0, revisionDigits));
    return Number.isSafeInteger(revision) && text === encodeSlot(revision) ? revision : undefined;
  }

  #write(slot: number, text: string): void {
    const written = writeSync(this.#file, text, slot * slotBytes, "latin1");
    if (written !== text.length) throw new Error(`only ${written} of ${text.length} bytes could be written`);
  }
}

/** As many as the largest safe integer has. */
const revisionDigits = 16;

function encodeSlot(revision: number): string {
  const digits = String(revision).padStart(revisionDigits, "0");
  return `${digits} ${crc32(digits).toString(16).padStart(8, "0")}\n`;
}
