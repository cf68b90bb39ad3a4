/**
 * The port through which the journal reaches a disk. It is as small as it can be, so that a simulation can put a disk of its
 * own behind it that loses, tears and refuses writes. `journal-file.ts` is the real one.
 */
export interface JournalStorage {
  /** Everything that is there; nothing if there is no journal yet. */
  read(): Promise<Uint8Array | undefined>;
  /** Adds bytes at the end; resolves when they are durable. One that rejects may have written any part of them. */
  append(bytes: Uint8Array): Promise<void>;
  /** Puts the bytes in the place of everything, at once or not at all; resolves when they are durable. */
  replace(bytes: Uint8Array): Promise<void>;
  /** Puts what is there away under another name, and returns that name. */
  setAside(): Promise<string>;
  /** Lets go of what it holds. Twice is harmless. */
  close(): Promise<void>;
}
