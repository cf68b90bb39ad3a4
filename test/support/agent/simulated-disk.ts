/**
 * A disk for one journal, in memory, that outlives the agent's runs. `failing` makes its writes fail, and `tearing` leaves a
 * part of an append behind, as a power cut does.
 */
import { type Journal, openJournal } from "../../../agent/journal/journal.ts";
import type { JournalStorage } from "../../../agent/journal/journal-storage.ts";
import { type Clock, systemClock } from "../../../shared/clock.ts";
import { type Logger, silentLogger } from "../../../shared/log.ts";

export class SimulatedDisk implements JournalStorage {
  bytes: Buffer | undefined;
  /** What was set aside. */
  readonly aside: Buffer[] = [];
  appendCount = 0;
  replaceCount = 0;
  isFull = false;
  /** How many bytes of the next append are written before it fails. */
  tearAfterBytes: number | undefined;
  /** A write is durable when this resolves. */
  gate: Promise<void> = Promise.resolve();

  read(): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.bytes === undefined ? undefined : Buffer.from(this.bytes));
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.gate;
    if (this.isFull) throw new Error("no space left on device");
    this.appendCount += 1;
    const written = this.tearAfterBytes === undefined ? bytes : bytes.subarray(0, this.tearAfterBytes);
    this.bytes = Buffer.concat([this.bytes ?? Buffer.alloc(0), written]);
    if (this.tearAfterBytes === undefined) return;
    this.tearAfterBytes = undefined;
    throw new Error("torn");
  }

  async replace(bytes: Uint8Array): Promise<void> {
    await this.gate;
    if (this.isFull) throw new Error("no space left on device");
    this.replaceCount += 1;
    this.bytes = Buffer.from(bytes);
  }

  setAside(): Promise<string> {
    if (this.bytes !== undefined) this.aside.push(this.bytes);
    this.bytes = undefined;
    return Promise.resolve(`aside-${this.aside.length}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The journal as a run of the agent that starts now finds it; an earlier run's is not closed, as after a `kill -9`. */
  journal(options: { readonly clock?: Clock; readonly log?: Logger } = {}): Promise<Journal> {
    return openJournal(this, { clock: options.clock ?? systemClock, log: options.log ?? silentLogger });
  }
}
