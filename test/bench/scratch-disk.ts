/**
 * Where the server under load keeps its data: a directory on a real disk, since a sync to memory costs nothing and would
 * flatter every figure. It also measures what one sync costs there.
 */
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { momentMs } from "./moment.ts";
import { median } from "./statistics.ts";

export interface ScratchDisk {
  readonly path: string;
  /** The median time of a write of 4 KiB with its sync, in ms. */
  readonly syncMs: number;
  /** Removes the directory with all that is in it. */
  remove(): void;
}

const tmpfsType = 0x01021994;
const ramfsType = 0x858458f6;

/** @param parent made if it is not there. Throws if it is in memory. */
export function openScratchDisk(parent: string): ScratchDisk {
  mkdirSync(parent, { recursive: true });
  const { type } = statfsSync(parent);
  if (type === tmpfsType || type === ramfsType) {
    throw new Error(`${parent} is in memory, where syncs cost nothing; name a directory on a disk with --dir`);
  }
  const path = mkdtempSync(join(parent, "run-"));
  return {
    path,
    syncMs: measureSync(join(path, "sync")),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

function measureSync(path: string): number {
  const file = openSync(path, "w");
  const block = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 50 }, () => {
    const startMs = momentMs();
    writeSync(file, block);
    fdatasyncSync(file);
    return momentMs() - startMs;
  });
  closeSync(file);
  return median(times);
}
