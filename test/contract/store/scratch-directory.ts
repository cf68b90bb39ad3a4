import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ScratchDirectory {
  /** An absolute path; the directory is empty. */
  readonly path: string;
  readonly remove: () => Promise<void>;
}

export async function makeScratchDirectory(): Promise<ScratchDirectory> {
  const path = await mkdtemp(join(tmpdir(), "meridian-store-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
